import { describe, expect, it } from 'vitest'
import { LocalEndpoints } from '../../src/run/local-endpoints.ts'

const SOCKET = { address: '0.0.0.0', port: 4500 }
const PEER = { address: '198.51.100.7', port: 1024 }

function make() {
  const lookups: { address: string; answer(address: string | Error): Promise<void> }[] = []
  const received: string[] = []
  const clock = { now: 0 }
  const locals = new LocalEndpoints(
    {
      local: SOCKET,
      localAddressFor: (remote) =>
        new Promise((resolve, reject) => {
          lookups.push({
            address: remote.address,
            async answer(address) {
              if (address instanceof Error) reject(address)
              else resolve(address)
              await Promise.resolve()
              await Promise.resolve()
            },
          })
        }),
    },
    {
      onDatagram: (local, remote, message, bytes) =>
        void received.push(`${local.address} < ${remote.address} ${message} ${bytes.join(' ')}`),
    },
    () => clock.now,
  )
  return { locals, lookups, received, clock }
}

describe('RFC 7296 §2.23: the local address of a datagram that came to a wildcard socket', () => {
  it('is looked up once for a sender; what arrives meanwhile is held, in order', async () => {
    const { locals, lookups, received } = make()
    locals.receive(PEER, 'ike', Uint8Array.of(1))
    locals.receive(PEER, 'esp', Uint8Array.of(2))
    expect(received).toEqual([])
    await lookups[0]!.answer('192.0.2.1')
    locals.receive(PEER, 'esp', Uint8Array.of(3))
    expect(received).toEqual(['192.0.2.1 < 198.51.100.7 ike 1', '192.0.2.1 < 198.51.100.7 esp 2', '192.0.2.1 < 198.51.100.7 esp 3'])
    expect(lookups.length).toBe(1)
  })

  it('is the wildcard where there is no route', async () => {
    const { locals, lookups, received } = make()
    locals.receive(PEER, 'ike', Uint8Array.of(1))
    await lookups[0]!.answer(new Error('ENETUNREACH'))
    expect(received).toEqual(['0.0.0.0 < 198.51.100.7 ike 1'])
  })

  it('is looked up again after a while, without holding anything', async () => {
    const { locals, lookups, received, clock } = make()
    locals.receive(PEER, 'ike', Uint8Array.of(1))
    await lookups[0]!.answer('192.0.2.1')
    clock.now = 31_000
    locals.receive(PEER, 'ike', Uint8Array.of(2))
    locals.receive(PEER, 'ike', Uint8Array.of(3))
    expect(lookups.length).toBe(2)
    await lookups[1]!.answer('192.0.2.99')
    locals.receive(PEER, 'ike', Uint8Array.of(4))
    expect(received.map((line) => line.split(' ')[0])).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.99'])
  })

  it('is the wildcard for senders beyond 64 at once: a flood does not make a socket each', () => {
    const { locals, lookups, received } = make()
    for (let i = 0; i < 70; i++) locals.receive({ address: `198.51.100.${i}`, port: 1 }, 'ike', Uint8Array.of(i))
    expect(lookups.length).toBe(64)
    expect(received.length).toBe(6)
  })
})
