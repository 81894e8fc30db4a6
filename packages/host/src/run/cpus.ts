/** The CPU that an event loop is kept on: it moves no more, and what it has in the caches stays there. */
import { readFileSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { HostError, reasonOf } from '../host-error.ts'

// An optional dependency, as in tls-transport.
const native = await import('@underpass/native').catch(() => undefined)

/** This thread; those of Node's pool stay free. Throws `HostError` NOT_SUPPORTED where it cannot be. */
export async function stayOnCpu(cpu: number): Promise<void> {
  const refusal = refusedCpu(cpu)
  if (refusal !== undefined) throw new HostError('NOT_SUPPORTED', `cpus: ${refusal}`, { what: `cpus = [${cpu}]` })
  // Node makes the threads of its pool when the first of them is needed, and they would have this thread's CPU.
  await access('/proc/self')
  native?.loadLibc().setAffinity([cpu])
}

/** Why this process may not be kept on it; `undefined`: it may. */
export function refusedCpu(cpu: number): string | undefined {
  try {
    if (native === undefined) throw new Error('@underpass/native is not installed')
    native.loadLibc()
  } catch (error) {
    return `a CPU can only be chosen with native calls, which there are not: ${reasonOf(error)}. Leave the key out`
  }
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? ''
  return isInList(cpu, allowed) ? undefined : `${cpu} is not among the CPUs that this process may run on: ${allowed}`
}

/** `list`: as in cpuset(7), '0-3,8'. */
export function isInList(cpu: number, list: string): boolean {
  return list.split(',').some((range) => {
    const [first, last = first] = range.split('-').map((number) => Number.parseInt(number, 10))
    return first !== undefined && last !== undefined && first <= cpu && cpu <= last
  })
}
