// What a run that was killed outright left behind: namespaces, sockets and a folder with its pid in their names, which is no longer there.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cache } from '../../interop/lib/lab.mjs'

export function sweepLeftovers() {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  for (const [, name, pid] of (stdout ?? '').matchAll(/^(up-bench-(\d+)-\S+)/gm)) if (!isAlive(pid)) spawnSync('ip', ['netns', 'del', name])
  sweepFiles(tmpdir(), /^up-bench-(\d+)-.*\.sock/)
  sweepFiles(join(cache, 'interop'), /^bench-(\d+)$/)
}

function sweepFiles(folder, pattern) {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) {
    const pid = pattern.exec(name)?.[1]
    if (pid !== undefined && !isAlive(pid)) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

function isAlive(pid) {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
