import { describe, expect, it } from 'vitest'
import { systemPorts } from '../../src/index.ts'
import { portsOfWorkers } from '../../src/workers/worker-ports.ts'

describe('workers where they cannot be had', () => {
  it('a device with one queue: why, and what to do', () => {
    const tun = { device: 'packet', name: 'x0', mtu: 1400, addresses: [] } as const
    expect(() => portsOfWorkers(systemPorts, 4).openDevice(tun)).toThrow(
      expect.objectContaining({
        code: 'NOT_SUPPORTED',
        message: 'workers = 4 cannot be had: the device "packet" has one queue. Configure [tun] device = "tun", or workers = 1.',
      }),
    )
  })

  it('no native system calls: why, and what to do', async () => {
    const { start } = portsOfWorkers(systemPorts, 2, { kind: 'node', reason: 'koffi cannot be loaded' })
    await expect(start(undefined as never)).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message:
        'workers = 2 cannot be had: ports cannot be shared without native system calls (koffi cannot be loaded). Install the optional dependency koffi, on Linux, or configure workers = 1.',
    })
  })
})
