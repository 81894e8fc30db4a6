import { listen } from '@underpass/tls-transport'
import { openUdp } from '@underpass/udp-transport'
import { expect, it, onTestFinished } from 'vitest'
import { requireFreePorts } from '../../src/workers/free-ports.ts'

it('a port that another program shares with all who ask is not free', async () => {
  const udp = await openUdp({ address: '127.0.0.1', group: { size: 2, spiMask: 63 }, onDatagram: () => {}, onError: () => {} })
  onTestFinished(() => udp.close())
  const tcp = await listen({ address: '127.0.0.1', reusePort: true }, () => ({ onData: () => {} }))
  onTestFinished(() => tcp.close())
  const inUse = { code: 'ADDRESS_IN_USE', message: expect.stringContaining('another program has that port') }
  await expect(requireFreePorts({ udp: [udp.local], tcp: [] })).rejects.toMatchObject(inUse)
  await expect(requireFreePorts({ udp: [], tcp: [{ ...tcp.local, framing: 'rfc9329' }] })).rejects.toMatchObject(inUse)
})

it('one that is free is free afterwards', async () => {
  const tcp = await listen({ address: '127.0.0.1' }, () => ({ onData: () => {} }))
  await tcp.close()
  const listeners = { udp: [{ address: '127.0.0.1', port: 0 }], tcp: [{ ...tcp.local, framing: 'rfc9329' }] } as const
  await requireFreePorts(listeners)
  await requireFreePorts(listeners)
})
