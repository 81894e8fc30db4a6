import { ExchangeType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { ikeFrame, ikeRequest } from '../frames.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-15): a syntax error inside an authenticated message costs the IKE SA, not the connection', () => {
  it.each([
    ['a payload that cannot be read', [{ type: 'unknown', payloadType: 41, body: Uint8Array.of(0) }], ExchangeType.INFORMATIONAL],
    ['an exchange without what it needs', [], ExchangeType.CREATE_CHILD_SA],
  ] as const)('%s: INVALID_SYNTAX, the SA is gone, the connection stays open', (_name, payloads, exchangeType) => {
    const pair = new Pair()
    pair.connect()
    const from = pair.log.length
    pair.inject(pair.pipe, pair.gateway, ikeFrame(ikeRequest(pair.saOf(pair.client), payloads, exchangeType)))
    expect(pair.transcript(from)).toEqual(['R → I  HDR, SK {N(INVALID_SYNTAX)}'])
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.gateway.core.sad.size).toBe(0)
    expect(pair.gateway.core.connections.size).toBe(1)
    expect(pair.gateway.outputs.some((output) => output.includes('close-connection'))).toBe(false)
    expect(pair.counter(pair.gateway, 'ike-syntax-errors')).toBe(1)
  })
})
