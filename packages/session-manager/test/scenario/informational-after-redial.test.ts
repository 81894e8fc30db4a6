import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-12): after a redial the originator sends an empty INFORMATIONAL', () => {
  it('first thing on the new connection, with the prefix in the same write', () => {
    const pair = new Pair()
    pair.connect()
    pair.cut(pair.pipe)
    const from = pair.log.length
    pair.run(2_000)
    expect(pair.transcript(from)).toEqual(['I → R  HDR, SK {}', 'R → I  HDR, SK {}'])
    const writes = pair.client.outputs.filter((output) => output.includes('write-connection') && output.includes('"connection":4'))
    expect((JSON.parse(writes[0]!) as { bytes: number[] }).bytes.slice(0, 12)).toEqual([0x49, 0x4b, 0x45, 0x54, 0x43, 0x50, 0, expect.any(Number), 0, 0, 0, 0])
    expect(pair.saOf(pair.gateway).path?.transport).toBe('tcp')
  })
})
