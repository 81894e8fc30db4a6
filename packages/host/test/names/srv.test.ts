import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HostError } from '../../src/index.ts'
import { inServiceOrder, type ServiceLookup, type ServiceRecord, servicePlaces } from '../../src/names/srv.ts'

const record = (name: string, priority: number, weight: number, port = 4500): ServiceRecord => ({ name, priority, weight, port })

describe('RFC 2782: the order of records', () => {
  const names = (records: readonly ServiceRecord[], ...draws: number[]): string[] =>
    inServiceOrder(records, (most) => Math.min(draws.shift() ?? 0, most)).map(({ name }) => name)

  it('is that of their priorities', () => {
    expect(names([record('c', 30, 0), record('a', 10, 0), record('b', 20, 100)])).toEqual(['a', 'b', 'c'])
  })

  it('among equals a lot is drawn by weight, and again among the rest', () => {
    const equals = [record('heavy', 10, 60), record('light', 10, 10), record('zero', 10, 0)]
    // The running sums are zero 0, light 10, heavy 70.
    expect(names(equals, 0, 0, 0)).toEqual(['zero', 'light', 'heavy'])
    expect(names(equals, 10, 60, 0)).toEqual(['light', 'heavy', 'zero'])
    expect(names(equals, 11, 10, 0)).toEqual(['heavy', 'light', 'zero'])
    expect(names(equals, 70, 0, 10)).toEqual(['heavy', 'zero', 'light'])
  })

  it('gives each its share', () => {
    let seed = 1
    const random = (most: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % (most + 1)
    }
    let first = 0
    for (let i = 0; i < 1_000; i++) if (inServiceOrder([record('a', 1, 75), record('b', 1, 25)], random)[0]!.name === 'a') first++
    expect(first).toBeGreaterThan(700)
    expect(first).toBeLessThan(800)
  })
})

describe('RFC 2782, RFC 9329 §11: _ipsec-nat-t, asked of a name server', () => {
  it('says hosts and ports for UDP and for TCP', async () => {
    const lookup = await served({
      '_ipsec-nat-t._udp.example.test': [record('gw2.example.test', 20, 0), record('gw1.example.test', 10, 0, 4501)],
      '_ipsec-nat-t._tcp.example.test': [record('gw1.example.test', 10, 0, 443)],
    })
    expect(await servicePlaces('example.test', lookup)).toEqual([
      { address: '2001:db8::1', transport: 'udp', port: 4501 },
      { address: '192.0.2.1', transport: 'udp', port: 4501 },
      { address: '192.0.2.2', transport: 'udp', port: 4500 },
      { address: '2001:db8::1', transport: 'tcp', port: 443 },
      { address: '192.0.2.1', transport: 'tcp', port: 443 },
    ])
  })

  it('a transport without records goes where the other is, at its own ports', async () => {
    const lookup = await served({ '_ipsec-nat-t._udp.example.test': [record('gw2.example.test', 10, 0)] })
    expect(await servicePlaces('example.test', lookup)).toEqual([
      { address: '192.0.2.2', transport: 'udp', port: 4500 },
      { address: '192.0.2.2', transport: 'tcp' },
    ])
  })

  it('where there are none, the name itself is the gateway', async () => {
    expect(await servicePlaces('gw2.example.test', await served({}))).toEqual([{ address: '192.0.2.2' }])
  })

  it('a target of "." says that there is no such service', async () => {
    const none = { '_ipsec-nat-t._udp.example.test': [record('', 0, 0, 0)] }
    const tcp = { '_ipsec-nat-t._tcp.example.test': [record('gw2.example.test', 0, 0)] }
    expect(await servicePlaces('example.test', await served({ ...none, ...tcp }))).toEqual([
      { address: '192.0.2.2', transport: 'tcp', port: 4500 },
    ])
    await expect(servicePlaces('example.test', await served(none))).rejects.toMatchObject({ code: 'NAME_NOT_FOUND' })
  })

  it('a port that is none is passed over, and of very many targets eight are looked up', async () => {
    const asked: string[] = []
    const dead = Array.from({ length: 100 }, (_, i) => record(`dead-${i}.example.test`, 10, 0))
    const lookup: ServiceLookup = {
      resolveSrv: async () => [record('port-0.example.test', 1, 0, 0), ...dead],
      addressesOf: async (name) => {
        asked.push(name)
        throw new HostError('NAME_NOT_FOUND', `${name} has no address`, { name, reason: '' })
      },
      random: () => 0,
    }
    await servicePlaces('example.test', lookup).catch(() => {})
    expect(asked.some((name) => name.startsWith('port-0'))).toBe(false)
    expect(asked.filter((name) => name.startsWith('dead')).length).toBeLessThanOrEqual(16)
  })

  it('a host that nobody knows is passed over', async () => {
    const lookup = await served({ '_ipsec-nat-t._udp.example.test': [record('gone.example.test', 1, 0), record('gw2.example.test', 2, 0)] })
    expect((await servicePlaces('example.test', lookup)).map(({ address }) => address)).toEqual(['192.0.2.2', '192.0.2.2'])
  })

  it('a host of many addresses leaves room for the next priority; alone, it has it all', async () => {
    const many = [1, 2, 3, 4].map((i) => `192.0.2.1${i}`)
    const of = async (...hosts: string[]): Promise<string[]> => {
      const records = hosts.map((host, i) => record(`${host}.example.test`, 10 * i, 0))
      const places = await servicePlaces('example.test', await served({ '_ipsec-nat-t._udp.example.test': records }))
      return places.filter(({ transport }) => transport === 'udp').map(({ address }) => address)
    }
    expect(await of('many', 'gw2')).toEqual([...many.slice(0, 3), '192.0.2.2'])
    expect(await of('many', 'gw1', 'gw2')).toEqual([...many.slice(0, 2), '2001:db8::1', '192.0.2.1'])
    expect(await of('gw2', 'many')).toEqual(['192.0.2.2', ...many.slice(0, 3)])
    expect(await of('many', 'gone')).toEqual(many)
    expect(await of('many')).toEqual(many)
  })

  it.each(['SERVFAIL', 'NOTIMP', 'REFUSED'] as const)(
    'RFC 1035 §4.1.1: a name server that answers %s is an error that says so',
    async (code) => {
      const domain = `${code.toLowerCase()}.test`
      // Deno's node:dns has ENOTFOUND for every RCODE: there it is a domain without records, and its name is looked up.
      const expected = 'Deno' in globalThis ? domain : `${domain} has no gateway: the name server answered ${code} (`
      await expect(servicePlaces(domain, await served({}))).rejects.toThrow(expected)
    },
  )

  it('a name server that is silent is an error that says so', async () => {
    await expect(servicePlaces('silent.test', await served({}))).rejects.toThrow(/^silent\.test has no gateway: no name server answered/)
  })
})

/** A resolver and a name server of its own on the loopback interface: it answers SRV as RFC 1035 §4.1 has it, and for `silent.test` not at all. */
async function served(zone: Readonly<Record<string, readonly ServiceRecord[]>>): Promise<ServiceLookup> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  onTestFinished(() => void socket.close())
  socket.on('message', (query, from) => {
    const answer = answerTo(query, zone)
    if (answer) socket.send(answer, from.port, from.address)
  })
  const resolver = new Resolver({ timeout: 1_000, tries: 1 })
  resolver.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`])
  return {
    resolveSrv: (name) => resolver.resolveSrv(name),
    addressesOf: async (name) => {
      const addresses = HOSTS[name]
      if (addresses === undefined) throw new HostError('NAME_NOT_FOUND', name, { name, reason: 'no such name' })
      return addresses
    },
    random: () => 0,
  }
}

const HOSTS: Readonly<Record<string, readonly string[]>> = {
  'gw1.example.test': ['2001:db8::1', '192.0.2.1'],
  'gw2.example.test': ['192.0.2.2'],
  'many.example.test': ['192.0.2.11', '192.0.2.12', '192.0.2.13', '192.0.2.14'],
}

const NXDOMAIN = 3

/** RFC 1035 §4.1.1, by the names that get them. */
const REFUSALS: Readonly<Record<string, number>> = { servfail: 2, notimp: 4, refused: 5 }

function answerTo(query: Uint8Array, zone: Readonly<Record<string, readonly ServiceRecord[]>>): Uint8Array | undefined {
  const labels: string[] = []
  let at = 12
  while (query[at] !== 0) {
    labels.push(Buffer.from(query.subarray(at + 1, at + 1 + query[at]!)).toString())
    at += query[at]! + 1
  }
  const name = labels.join('.').toLowerCase()
  const records = zone[name] ?? []
  if (name.endsWith('silent.test')) return undefined
  const code = REFUSALS[labels.at(-2)!] ?? (records.length === 0 ? NXDOMAIN : 0)
  const head = [query[0]!, query[1]!, 0x84 | (query[2]! & 1), 0x80 | code, 0, 1, 0, records.length, 0, 0, 0, 0]
  return Uint8Array.from([...head, ...query.subarray(12, at + 5), ...records.flatMap(encoded)])
}

/** RFC 2782: Priority, Weight, Port, Target; in front of it a pointer to the question's name, type 33, class IN, the time to live. */
function encoded({ name, priority, weight, port }: ServiceRecord): number[] {
  const target = name === '' ? [] : name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)])
  const data = [...[priority, weight, port].flatMap((value) => [value >> 8, value & 0xff]), ...target, 0]
  return [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 0xff, ...data]
}
