import { describe, expect, it } from 'vitest'
import type { ChildSa } from '../../src/child/child-sa.ts'
import { PacketSelector } from '../../src/child/packet-selector.ts'
import { Spd } from '../../src/child/spd.ts'
import { selectorsOfSubnets } from '../../src/ike/traffic-selectors.ts'
import { ipv4Packet } from '../pair.ts'

describe('RFC 4301 §5.1 the SPD', () => {
  it('finds the Child SA of a host among thousands', () => {
    const spd = new Spd()
    const children = Array.from({ length: 5000 }, (_, index) => childFor('10.2.0.0/24', `10.8.${index >> 8}.${index & 0xff}`))
    for (const child of children) spd.install(child)
    for (const index of [0, 1, 2500, 4999]) expect(lookup(spd, '10.2.0.1', `10.8.${index >> 8}.${index & 0xff}`)).toBe(children[index])
    expect(lookup(spd, '10.2.0.1', '10.9.0.0')).toBeUndefined()
  })

  it('looks at the source too: a packet from elsewhere has no policy', () => {
    const spd = new Spd()
    spd.install(childFor('10.2.0.0/24', '10.8.0.1'))
    spd.install(childFor('10.2.0.0/24', '10.9.0.0/16'))
    expect(lookup(spd, '10.3.0.1', '10.8.0.1')).toBeUndefined()
    expect(lookup(spd, '10.3.0.1', '10.9.0.1')).toBeUndefined()
  })

  it.each(['10.8.0.1', '10.8.0.0/24'])(
    'the newest of two Child SAs for %s wins, and the older one takes over when it is gone',
    (remote) => {
      const spd = new Spd()
      const [older, newer] = [childFor('10.2.0.0/24', remote), childFor('10.2.0.0/24', remote)]
      spd.install(older)
      spd.install(newer)
      expect(lookup(spd, '10.2.0.1', '10.8.0.1')).toBe(newer)
      spd.remove(newer)
      expect(lookup(spd, '10.2.0.1', '10.8.0.1')).toBe(older)
      spd.remove(older)
      expect(lookup(spd, '10.2.0.1', '10.8.0.1')).toBeUndefined()
    },
  )

  it('removing what was never installed removes nothing else', () => {
    const spd = new Spd()
    const child = childFor('10.2.0.0/24', '10.8.0.0/24')
    spd.install(child)
    spd.remove(childFor('10.2.0.0/24', '10.8.0.0/24'))
    expect(lookup(spd, '10.2.0.1', '10.8.0.1')).toBe(child)
  })

  it('a host in a wider range leaves by the Child SA of the host', () => {
    const spd = new Spd()
    const host = childFor('10.2.0.0/24', '10.8.0.1')
    const net = childFor('10.2.0.0/24', '10.8.0.0/24')
    spd.install(host)
    spd.install(net)
    expect(lookup(spd, '10.2.0.1', '10.8.0.1')).toBe(host)
    expect(lookup(spd, '10.2.0.1', '10.8.0.2')).toBe(net)
  })
})

function lookup(spd: Spd, source: string, destination: string): ChildSa | undefined {
  return spd.lookup(ipv4Packet(source, destination, 40), 0, 40)
}

function childFor(local: string, remote: string): ChildSa {
  const remoteTs = selectorsOfSubnets([remote])
  const ours = new PacketSelector(selectorsOfSubnets([local]))
  const theirs = new PacketSelector(remoteTs)
  return {
    remoteTs,
    sends: (packet: Uint8Array, offset: number, length: number) =>
      theirs.matches(packet, offset, length, 1) && ours.matches(packet, offset, length, 0),
  } as unknown as ChildSa
}
