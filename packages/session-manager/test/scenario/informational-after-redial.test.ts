import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-12): the first message after a redial', () => {
  it('is an empty INFORMATIONAL where MOBIKE is not spoken', () => {
    const pair = new Pair()
    pair.connect()
    for (const node of [pair.client, pair.gateway]) pair.saOf(node).isMobike = false
    pair.cut(pair.pipe)
    const from = pair.log.length
    pair.run(2_000)
    expect(pair.transcript(from)).toEqual(['I → R  HDR, SK {}', 'R → I  HDR, SK {}'])
  })

  it('is UPDATE_SA_ADDRESSES where it is', () => {
    const pair = new Pair()
    pair.connect()
    pair.cut(pair.pipe)
    const from = pair.log.length
    pair.run(2_000)
    expect(pair.transcript(from)).toHaveLength(2)
    expect(pair.transcript(from)[0]).toMatch(/^I → R {2}HDR, SK \{N\(UPDATE_SA_ADDRESSES\)/)
  })

  it('leaves in the same write as the prefix', () => {
    const pair = new Pair()
    pair.connect()
    pair.cut(pair.pipe)
    pair.run(2_000)
    const write = pair.client.outputs.find((output) => output.includes('write-connection') && output.includes('"connection":4'))!
    const { bytes } = JSON.parse(write) as { bytes: number[] }
    expect(String.fromCharCode(...bytes.slice(0, 6))).toBe('IKETCP')
    expect(bytes.slice(8, 12)).toEqual([0, 0, 0, 0])
    expect((bytes[6]! << 8) | bytes[7]!).toBe(bytes.length - 6)
    expect(pair.saOf(pair.gateway).path?.transport).toBe('tcp')
  })
})
