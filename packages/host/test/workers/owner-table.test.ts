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

it('networks are compared as numbers without a sign, and word by word', () => {
  const table = new OwnerTable()
  table.add({ worker: 1, child: 'a', remoteTs: ['100.0.0.0-200.0.0.0', 'fd00::1-fd00::1:0:0'] })
  expect(['99.255.255.255', '100.0.0.0', '127.255.255.255', '128.0.0.0', '200.0.0.0', '200.0.0.1'].map((to) => find(table, to))).toEqual([
    undefined,
    1,
    1,
    1,
    1,
    undefined,
  ])
  expect([0, 1, 255].map((last) => table.find(ipv6Packet(last), 0, 40))).toEqual([undefined, 1, 1])
  const beyond = ipv6Packet(1)
  beyond[35] = 1
  expect(table.find(beyond, 0, 40)).toBeUndefined()
})

it('addresses whose words hash alike are told apart', () => {
  const table = new OwnerTable()
  // hash = ((w0 · 31 ^ w1) · 31 ^ w2) · 31 ^ w3
  const words = (w2: number, w3: number) =>
    `fd00::${(w2 >>> 16).toString(16)}:${(w2 & 0xffff).toString(16)}:${(w3 >>> 16).toString(16)}:${(w3 & 0xffff).toString(16)}`
  const base = Math.imul(Math.imul(0xfd000000 | 0, 31), 31)
  const hash = (w2: number, w3: number) => Math.imul(base ^ w2, 31) ^ w3
  const other = hash(0, 5) ^ Math.imul(base ^ 1, 31)
  expect(hash(1, other)).toBe(hash(0, 5))
  table.add({ worker: 0, child: 'a', remoteTs: [`${words(0, 5)}/128`] })
  table.add({ worker: 1, child: 'b', remoteTs: [`${words(1, other)}/128`] })
  const packet = ipv6Packet(5)
  expect(table.find(packet, 0, 40)).toBe(0)
  new DataView(packet.buffer).setUint32(32, 1)
  new DataView(packet.buffer).setInt32(36, other)
  expect(table.find(packet, 0, 40)).toBe(1)
  table.remove('b')
  expect(table.find(packet, 0, 40)).toBeUndefined()
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
