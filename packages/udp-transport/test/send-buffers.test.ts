import { describe, expect, it } from 'vitest'
import { SendBuffers, type Slab } from '../src/send-buffers.ts'

describe('octets that wait to be sent', () => {
  it('beyond the limit ESP is refused, IKE is not, and room comes back', () => {
    const buffers = new SendBuffers(0x80000, () => {})
    const taken: Slab[] = []
    for (let slab = buffers.take(60_000, false); slab !== undefined; slab = buffers.take(60_000, false)) {
      slab.used += 60_000
      taken.push(slab)
    }
    expect(taken.length).toBe(8)
    const urgent = buffers.take(60_000, true)
    expect(urgent).toBeDefined()
    urgent?.sent(null)
    for (const slab of taken) slab.sent(null)
    expect(buffers.take(60_000, false)).toBeDefined()
  })

  it('a slab is not used again before all of it is sent', () => {
    const buffers = new SendBuffers(0x40000, () => {})
    const take = (): Slab => {
      const slab = buffers.take(1000, false)
      if (slab === undefined) throw new Error('refused')
      slab.used += 1000
      return slab
    }
    const first = take()
    const second = take()
    expect(second).toBe(first)
    first.sent(null)
    expect(first.used).toBe(2000)
    second.sent(null)
    expect(first.used).toBe(0)
    expect(take()).toBe(first)
  })
})
