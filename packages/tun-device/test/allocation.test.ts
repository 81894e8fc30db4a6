import { describe, expect, it } from 'vitest'
import { type Kind, obstacle, runFixture } from './namespace.ts'

// The heap figure of Bun is that of the last collection, and Deno's moves with what its own threads do.
const runtime = ['bun', 'deno'].find((name) => process.versions[name] !== undefined)

// What V8 does with an address is another matter where it fits a small integer, as it does in most runs for what malloc takes from below
// 2 ** 31. With this nothing comes from there, as in the runs where it finds no room behind the program, which is where V8 puts code.
const ALL_HIGH = { GLIBC_TUNABLES: 'glibc.malloc.mmap_threshold=16' }
/** Of an object: the smallest that there is, which holds an address. */
const ADDRESS = 16

describe('no allocation per packet but for an address: written to a device, read from another', () => {
  it.for([
    // Each packet is written from where it lies, with a call of its own, which is told the address.
    ['tun-plain', ADDRESS],
    ['tun', 0],
    ['packet', 0],
  ] as const satisfies readonly (readonly [Kind, number])[])('%s', { timeout: 120_000 }, async ([kind, octets], { skip }) => {
    if (runtime !== undefined) return skip(`${runtime} does not say exactly what its heap holds`)
    const reason = obstacle(kind, 'root')
    if (reason !== undefined) return skip(reason)
    const { result } = await runFixture('allocation', 'root', [kind], '', ALL_HIGH)
    expect(result.octetsPerPacket).toBeLessThan(octets + 4)
  })
})
