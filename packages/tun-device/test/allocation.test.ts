import { describe, expect, it } from 'vitest'
import { type Kind, obstacle, runFixture } from './namespace.ts'

// The heap figure of Bun is that of the last collection, and Deno's moves with what its own threads do.
const runtime = ['bun', 'deno'].find((name) => process.versions[name] !== undefined)

describe('no allocation per packet but for an address: written to a device, read from another', () => {
  it.for(['tun-plain', 'tun', 'packet'] as const satisfies readonly Kind[])('%s', { timeout: 120_000 }, async (kind, { skip }) => {
    if (runtime !== undefined) return skip(`${runtime} does not say exactly what its heap holds`)
    const reason = obstacle(kind, 'root')
    if (reason !== undefined) return skip(reason)
    const { result } = await runFixture('allocation', 'root', [kind])
    // Nothing but the number that says to a system call where the packet is: an address does not fit a small integer, and V8 keeps others in
    // objects of 16 octets.
    expect(result.octetsPerPacket).toBeLessThan(20)
  })
})
