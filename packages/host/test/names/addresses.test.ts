import { describe, expect, it } from 'vitest'
import { addressesOf, interleaved } from '../../src/names/addresses.ts'

const [A1, A2, A3] = ['192.0.2.1', '192.0.2.2', '192.0.2.3']
const [B1, B2, B3] = ['2001:db8::1', '2001:db8::2', '2001:db8::3']

describe('RFC 8305 §4: the order of addresses', () => {
  const rows: readonly (readonly [why: string, sorted: readonly string[], tried: readonly string[]])[] = [
    ['one is one', [A1], [A1]],
    ['families take turns, that of the first first', [B1, B2, A1, A2], [B1, A1, B2, A2]],
    ['IPv4 is that where IPv6 is sorted behind it, as without a route (RFC 6724 §5, rule 1)', [A1, A2, B1], [A1, B1, A2]],
    ['within a family the order stays', [B2, B1, A3, A1], [B2, A3, B1, A1]],
    ['the family of which there are more has the rest', [B1, B2, B3, A1], [B1, A1, B2, B3]],
    ['four are enough', [B1, B2, B3, A1, A2, A3], [B1, A1, B2, A2]],
    ['each once, also where it is written in another way', [A1, `::ffff:${A1}`, A2, A1], [A1, A2]],
    ['a link-local one means nothing to the peer', ['fe80::1%eth0', A1], [A1]],
    ['none is none', [], []],
  ]
  it.each(rows)('%s', (_, sorted, tried) => {
    expect(interleaved(sorted)).toEqual(tried)
  })
})

describe('the addresses of a name', () => {
  it('a literal is itself, and nobody is asked', async () => {
    expect(await addressesOf('192.0.2.9')).toEqual(['192.0.2.9'])
    expect(await addressesOf('2001:db8::9')).toEqual(['2001:db8::9'])
  })

  it('are what getaddrinfo(3) has, the hosts file among it', async () => {
    const found = await addressesOf('localhost')
    expect(found.length).toBeGreaterThan(0)
    expect(['127.0.0.1', '::1']).toEqual(expect.arrayContaining(found))
  })

  it('RFC 6761 §6.4: a name that nobody has is an error that says so', async () => {
    await expect(addressesOf('gateway.invalid')).rejects.toMatchObject({ code: 'NAME_NOT_FOUND' })
  })
})
