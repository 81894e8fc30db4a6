import { describe, expect, it } from 'vitest'
import { ikeFrame, ikeRequest } from '../frames.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.2 (T-RTX-3): the responder of an exchange answers a repeated request from its memory', () => {
  it('the same octets give the same octets, and nothing is done twice', () => {
    const pair = new Pair()
    pair.connect()
    const request = ikeFrame(ikeRequest(pair.saOf(pair.client), []))
    const from = pair.log.length
    for (let count = 0; count < 3; count++) pair.inject(pair.pipe, pair.gateway, request)
    const answers = pair.log.slice(from).map((entry) => entry.octets.join())
    expect(answers).toHaveLength(3)
    expect(new Set(answers).size).toBe(1)
    expect(pair.counter(pair.gateway, 'ike-retransmissions-in')).toBe(2)
  })

  it('IKE_SA_INIT too, while the SA is half open', () => {
    const pair = new Pair()
    pair.initiate()
    pair.run(1_000, () => pair.log.length === 2)
    const [request, answer] = pair.log
    pair.inject(pair.pipe, pair.gateway, ikeFrame(request!.octets))
    expect(pair.log[2]!.octets).toEqual(answer!.octets)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
  })

  it('the octets of an answer that is lent are a copy: what a driver does to them does not reach the next', () => {
    const pair = new Pair({ transports: [{ transport: 'udp', port: 500, natPort: 4500 }] })
    pair.connect()
    const request = ikeRequest(pair.saOf(pair.client), [])
    const datagram = {
      kind: 'datagram',
      local: { address: pair.gateway.address, port: 4500 },
      remote: { address: pair.client.address, port: 4500 },
      message: 'ike',
      bytes: request,
    } as const
    const answer = (): Uint8Array => {
      const { core } = pair.gateway
      core.handleInput(datagram, pair.now)
      for (;;) {
        const output = core.pollOutput()
        if (output.kind === 'send-datagram') return output.bytes
        if (output.kind === 'wait-until') throw new Error('no answer')
      }
    }
    const first = answer()
    const copy = first.slice()
    first.fill(0)
    pair.gateway.core.pollOutput()
    expect(answer()).toEqual(copy)
  })
})
