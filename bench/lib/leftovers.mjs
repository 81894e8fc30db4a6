// What a run that was killed outright left behind: namespaces with what still runs in them, sockets and a folder, all with its pid in their
// names, which is no longer there.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cache } from '../../interop/lib/lab.mjs'

export function sweepLeftovers() {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  for (const [, name, pid] of (stdout ?? '').matchAll(/^(up-bench-(\d+)-\S+)/gm)) if (!isAlive(pid)) sweepNamespace(name)
  sweepFiles(tmpdir(), /^up-bench-(\d+)-.*\.sock/)
  sweepFiles('/var/run/wireguard', /^upb[a-z](\d+)\.sock$/)
  sweepFiles(join(cache, 'interop'), /^bench-(\d+)$/)
}

/** Only a process that has left its parent (a daemon's fork) can still be there; the name says that it is ours. */
function sweepNamespace(name) {
  const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
  for (const pid of (stdout ?? '').split('\n').filter((word) => word !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  spawnSync('ip', ['netns', 'del', name])
}

function sweepFiles(folder, pattern) {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) {
    const pid = pattern.exec(name)?.[1]
    if (pid !== undefined && !isAlive(pid)) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

/** A process that has ended and that nobody has waited for yet (a zombie) has ended. */
function isAlive(pid) {
  try {
    return !/^.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
