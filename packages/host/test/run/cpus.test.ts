import { readFileSync } from 'node:fs'
import { tcpSockets } from '@underpass/tls-transport'
import { describe, expect, it } from 'vitest'
import { isInList, refusedCpu } from '../../src/run/cpus.ts'
import { startRuntimeWith } from '../../src/run/index.ts'
import { RecordingCore } from './recording-core.ts'

const affinity = (): string => /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'latin1'))?.[1] ?? ''

it('a CPU is in a list of cpuset(7)', () => {
  expect([0, 1, 3, 4, 8].map((cpu) => isInList(cpu, '0-3,8'))).toEqual([true, true, true, false, true])
  expect([0, 1].map((cpu) => isInList(cpu, '0'))).toEqual([true, false])
  expect(isInList(0, '')).toBe(false)
})

describe.runIf(tcpSockets().kind === 'native')('the CPU that an event loop is kept on', () => {
  it('is the only one of its thread', async () => {
    const { loadLibc } = await import('@underpass/native')
    const before = affinity()
    const all = Array.from({ length: 1024 }, (_, cpu) => cpu).filter((cpu) => isInList(cpu, before))
    const cpu = all.at(-1)!
    try {
      const runtime = await startRuntimeWith(new RecordingCore(), { listeners: { tcp: [], udp: [] }, cpu })
      expect(affinity()).toBe(String(cpu))
      await runtime.close()
    } finally {
      loadLibc().setAffinity(all)
    }
  })

  it('is an error where this process may not run there, which says what it may', async () => {
    const reason = `1023 is not among the CPUs that this process may run on: ${affinity()}`
    expect(refusedCpu(1023)).toBe(reason)
    await expect(startRuntimeWith(new RecordingCore(), { listeners: { tcp: [], udp: [] }, cpu: 1023 })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: `cpus: ${reason}`,
    })
  })
})
