import { expect, it } from 'vitest'
import { OwnerTable } from '../../src/workers/owner-table.ts'

it('RFC 4301 §4.4.1: a packet is for the worker whose Child SA has its destination', () => {
  const table = new OwnerTable()
  table.add({ worker: 0, child: 'a', remoteTs: ['10.99.0.2/32', 'fd00::2/128'] })
  table.add({ worker: 1, child: 'b', remoteTs: ['10.99.0.3-10.99.0.3 proto 17 port 53-53', '10.50.0.0/16'] })
  expect(['10.99.0.2', '10.99.0.3', '10.50.7.7', '10.51.0.1'].map((to) => find(table, to))).toEqual([0, 1, 1, undefined])
  expect(table.find(ipv6Packet(2), 0, 40)).toBe(0)
  expect(table.find(ipv6Packet(3), 0, 40)).toBeUndefined()
  table.remove('b')
  expect(['10.99.0.2', '10.99.0.3', '10.50.7.7'].map((to) => find(table, to))).toEqual([0, undefined, undefined])
})

it('a client that came anew is where it is now, whatever ends first', () => {
  const table = new OwnerTable()
  table.add({ worker: 0, child: 'old', remoteTs: ['10.99.0.2/32'] })
  table.add({ worker: 1, child: 'new', remoteTs: ['10.99.0.2/32'] })
  expect(find(table, '10.99.0.2')).toBe(1)
  table.remove('old')
  expect(find(table, '10.99.0.2')).toBe(1)
  table.remove('new')
  expect(find(table, '10.99.0.2')).toBeUndefined()
})

it('what is too short for a destination is nobody’s', () => {
  expect(new OwnerTable().find(Uint8Array.of(0x45, 0, 0), 0, 3)).toBeUndefined()
})

function find(table: OwnerTable, destination: string): number | undefined {
  const packet = new Uint8Array(31)
  packet[3] = 0x45
  packet.set(destination.split('.').map(Number), 19)
  return table.find(packet, 3, 28)
}

/** To fd00::`last`. */
function ipv6Packet(last: number): Uint8Array {
  const packet = new Uint8Array(40)
  packet.set([0x60], 0)
  packet.set([0xfd], 24)
  packet.set([last], 39)
  return packet
}
