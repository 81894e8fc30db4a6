import { readFileSync } from 'node:fs'
import { tcpSockets } from '@underpass/tls-transport'
import { describe, expect, it } from 'vitest'
import { refusedCpu } from '../../src/run/cpus.ts'
import { startRuntimeWith } from '../../src/run/index.ts'
import { RecordingCore } from './recording-core.ts'

const { loadLibc } = await import('@underpass/native')
const NOWHERE = { tcp: [], udp: [] }

// By system calls, which koffi makes on Linux; CI has both, and runs it on each runtime.
describe.runIf(tcpSockets().kind === 'native')('the CPU that an event loop is kept on', () => {
  it('is the only one of its thread, until the runtime is closed', async () => {
    const before = loadLibc().affinity()
    const cpu = before.at(-1)!
    const runtime = await startRuntimeWith(new RecordingCore(), { listeners: NOWHERE, cpu })
    const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'latin1'))?.[1]
    await runtime.close()
    expect(list).toBe(String(cpu))
    expect(loadLibc().affinity()).toEqual(before)
  })

  it('is not taken where the runtime cannot be started', async () => {
    const before = loadLibc().affinity()
    const options = { listeners: NOWHERE, cpu: before.at(-1)!, tcpTuning: { congestionControl: 'no-such' } }
    await expect(startRuntimeWith(new RecordingCore(), options)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' })
    expect(loadLibc().affinity()).toEqual(before)
  })

  it('is an error where this process may not run there, which says where it may', async () => {
    const reason = `1023 is not among the CPUs that this process may run on here: ${loadLibc().affinity().join(', ')}`
    expect(refusedCpu(1023)).toBe(reason)
    await expect(startRuntimeWith(new RecordingCore(), { listeners: NOWHERE, cpu: 1023 })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: `cpus: ${reason}`,
    })
  })
})
