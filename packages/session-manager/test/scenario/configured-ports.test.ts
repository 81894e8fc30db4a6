import { describe, expect, it } from 'vitest'
import { Pair, TCP } from '../pair.ts'

describe('RFC 9329 §2 Configuration', () => {
  it.each([4500, 443, 8443])('(T-CFG-1): the client dials TCP port %i, where it is configured, with the prefix', (port) => {
    const pair = new Pair({ transports: [{ transport: 'tcp', port, framing: 'rfc9329' }] })
    pair.connect()
    expect(pair.client.eventsOf('connection-opened')[0]!.remote.port).toBe(port)
    expect(String.fromCharCode(...pair.pipe.fromOriginator.slice(0, 6))).toBe('IKETCP')
    expect(pair.passesTraffic()).toBe(true)
  })

  it('one gateway serves connections to several of its ports at once, from any source port', () => {
    const pair = new Pair()
    const other = pair.addClient('other', '192.0.2.20', {
      dial: { address: pair.gateway.address, transports: [{ transport: 'tcp', port: 443, framing: 'rfc9329' }] },
    })
    pair.connect()
    pair.command(other, { kind: 'initiate', peer: 'gateway' })
    pair.run(2_000)
    const opened = pair.gateway.eventsOf('connection-opened')
    expect(opened.map((event) => event.local.port)).toEqual([4500, 443])
    expect(opened.every((event) => event.remote.port !== 4500)).toBe(true)
    expect(pair.gateway.core.sad.size).toBe(2)
  })

  it('(T-APP-2): with TCP configured alone no datagram is sent', () => {
    const pair = new Pair({ transports: [TCP] })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.log.every((entry) => entry.transport === 'tcp')).toBe(true)
    expect(pair.datagrams).toEqual([])
  })
})
