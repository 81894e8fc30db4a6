/** The CPU that an event loop is kept on, so that it does not wait for a busy one while another is idle. */
import { access } from 'node:fs/promises'
import { HostError, reasonOf } from '../host-error.ts'

// An optional dependency, as in tls-transport.
const native = await import('@underpass/native').catch(() => undefined)

/**
 * This thread; those of Node's pool stay free. Answers what gives it its CPUs back. Throws `HostError` NOT_SUPPORTED where it cannot be.
 */
export async function stayOnCpu(cpu: number): Promise<() => void> {
  const refuse = (reason: string): never => {
    throw new HostError('NOT_SUPPORTED', `cpus: ${reason}`, { what: `cpus = [${cpu}]` })
  }
  const refusal = refusedCpu(cpu)
  if (native === undefined || refusal !== undefined) return refuse(refusal ?? '')
  // Node makes the threads of its pool when the first of them is needed, and they would have this thread's CPU.
  await access('.').catch(() => {})
  const libc = native.loadLibc()
  const before = libc.affinity()
  try {
    libc.setAffinity([cpu])
  } catch (error) {
    return refuse(reasonOf(error))
  }
  return () => libc.setAffinity(before)
}

/** Why this thread may not be kept on it; `undefined`: it may. */
export function refusedCpu(cpu: number): string | undefined {
  try {
    if (native === undefined) throw new Error('@underpass/native is not installed')
    const allowed = native.loadLibc().affinity()
    return allowed.includes(cpu) ? undefined : `${cpu} is not among the CPUs that this process may run on here: ${allowed.join(', ')}`
  } catch (error) {
    return `a CPU can only be chosen with native calls, which there are not: ${reasonOf(error)}. Leave the key out`
  }
}
