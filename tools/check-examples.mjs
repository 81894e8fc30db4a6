// Each package stands alone: packed as npm would publish it, installed into an empty project, its README's first example runs on every runtime.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { quietEnvironment, root, runtimes } from './runtimes.mjs'

export function checkExamples(folders) {
  const base = mkdtempSync(join(tmpdir(), 'underpass-pack-'))
  try {
    const packed = pack(folders, base)
    const install = installAll(packed, base)
    return install.length > 0 ? install : folders.flatMap((folder) => runExample(folder, base))
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

function pack(folders, base) {
  mkdirSync(join(base, 'packed'))
  for (const folder of folders)
    spawnSync('npm', ['pack', '--silent', '--pack-destination', join(base, 'packed')], { cwd: join(root, folder), env: quietEnvironment })
  return readdirSync(join(base, 'packed')).map((name) => join(base, 'packed', name))
}

/** The siblings are not in the registry yet: each tarball is named, so that every dependency on one is met by it. */
function installAll(tarballs, base) {
  const dependencies = Object.fromEntries(
    tarballs.map((file) => [`@underpass/${/^underpass-([a-z-]+)-\d/.exec(basename(file))[1]}`, `file:${file}`]),
  )
  const overrides = Object.fromEntries(Object.keys(dependencies).map((name) => [name, `$${name}`]))
  writeFileSync(join(base, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module', dependencies, overrides }))
  const { status, stdout, stderr } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: base,
    encoding: 'utf8',
    env: quietEnvironment,
  })
  return status === 0 ? [] : [`npm install of the packed packages:\n${stdout}${stderr}`]
}

function runExample(folder, base) {
  const readme = readFileSync(join(root, folder, 'README.md'), 'utf8')
  const example = /```(?:ts|js)\n(.*?)```/s.exec(readme)?.[1]
  if (folder.startsWith('apps/')) return runProgram(folder, base)
  if (!example) return [`${folder}/README.md has no example`]
  const file = join(base, `${folder.split('/')[1]}.mjs`)
  writeFileSync(file, example)
  return runtimes()
    .filter(({ command }) => command)
    .flatMap(({ name, command, prefix }) => {
      const { status, stdout, stderr } = spawnSync(command, [...prefix, file], {
        cwd: base,
        encoding: 'utf8',
        timeout: 60_000,
        env: quietEnvironment,
      })
      if (status === 0 && stdout.trim() !== '') return []
      return [`${folder}/README.md's example on ${name} ${status === 0 ? 'printed nothing' : `ended with ${status}`}:\n${stdout}${stderr}`]
    })
}

/** A program's example is that it starts: --help, as installed. */
function runProgram(folder, base) {
  const { bin } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  return Object.keys(bin).flatMap((name) => {
    const { status, stdout, stderr } = spawnSync(join(base, 'node_modules/.bin', name), ['--help'], {
      encoding: 'utf8',
      timeout: 60_000,
      env: quietEnvironment,
    })
    return status === 0 && stdout.includes('Usage') ? [] : [`${name} --help ended with ${status}:\n${stdout}${stderr}`]
  })
}
