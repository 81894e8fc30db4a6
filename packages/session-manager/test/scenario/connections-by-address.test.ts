import { describe, expect, it } from 'vitest'
import { type PeerConfig, parseIkeSuite } from '../../src/index.ts'
import { Network, type Node } from '../network.ts'
import { CLIENT_ADDRESS, clientPeer, GATEWAY_ADDRESS, gatewayPeer, identity, sessionConfig, TCP } from '../pair.ts'

const suites = (...texts: string[]): Pick<PeerConfig, 'ikeProposals'> => ({ ikeProposals: texts.map(parseIkeSuite) })
const SECRET_OF_OFFICE = Uint8Array.from('another secret of at least 32 octets', (character) => character.charCodeAt(0))
const STRONG = 'aes256gcm16-prfsha256-x25519'
const OLD = 'aes128-sha1-modp2048'

/** A gateway with these connections, and a client that calls it. */
function call(connections: readonly Partial<PeerConfig>[], client: Partial<PeerConfig> = {}): { gateway: Node; client: Node } {
  const network = new Network()
  const peers = connections.map((connection, i) => ({ ...gatewayPeer(), name: `connection ${i}`, ...connection }))
  const gateway = network.add('gateway', GATEWAY_ADDRESS, sessionConfig(peers, true))
  const caller = network.add('client', CLIENT_ADDRESS, sessionConfig([{ ...clientPeer([TCP]), ...client }], false, { retry: 60_000 }))
  network.command(caller, { kind: 'initiate', peer: 'gateway' })
  network.run(3_000)
  return { gateway, client: caller }
}

const servedAs = ({ gateway }: { gateway: Node }): string | undefined => gateway.eventsOf('ike-sa-established')[0]?.peer

describe('RFC 4301 §4.4.3 which connection one who calls is', () => {
  const office = { name: 'office', remoteAddresses: ['192.0.2.0/28'], psk: SECRET_OF_OFFICE }

  it('RFC 4301 §4.4.3.1: one that names the address it calls from goes before one for everybody', () => {
    const secret = { psk: SECRET_OF_OFFICE }
    expect(servedAs(call([{ name: 'road', ...secret }, office], secret))).toBe('office')
  })

  it.each([
    ['the first address of the range', ['192.0.2.10-192.0.2.20'], true],
    ['the last', ['192.0.2.1-192.0.2.10'], true],
    ['an address below', ['192.0.2.11-192.0.2.20'], false],
    ['one of several', ['203.0.113.0/24', '192.0.2.10/32'], true],
    ['another family', ['::/0'], false],
  ])('RFC 4301 §4.4.3.1: from %s: %s %s', (_, remoteAddresses, isServed) => {
    expect(servedAs(call([{ name: 'road', remoteAddresses }])) !== undefined).toBe(isServed)
  })

  it('RFC 4301 §4.4.3.1: at an address of ours that is another connection’s it is not let in, whatever its secret', () => {
    expect(servedAs(call([{ localAddresses: ['198.51.100.2/32'] }]))).toBeUndefined()
    expect(servedAs(call([{ localAddresses: ['198.51.100.1/32'] }]))).toBe('connection 0')
  })

  it('RFC 7296 §2.7: from where nobody may call, nothing is on offer, and the gateway says why', () => {
    const { gateway, client } = call([{ ...office, remoteAddresses: ['203.0.113.0/24'] }])
    expect(client.eventsOf('handshake-failed')[0]).toMatchObject({ notify: 'NO_PROPOSAL_CHOSEN' })
    expect(gateway.eventsOf('handshake-failed')[0]!.detail).toBe('no connection of the configuration is for 192.0.2.10 at 198.51.100.1')
  })
})

describe('RFC 8247 §1 algorithms are of a connection', () => {
  const old = { name: 'old', remoteId: identity('@printer'), ...suites(OLD) }
  const people = { name: 'people', ...suites(STRONG) }

  it('RFC 8247 §1: what one connection allows is no way into another', () => {
    const { gateway, client } = call([old, people], suites(STRONG, OLD))
    expect(servedAs({ gateway })).toBe('people')
    expect(gateway.eventsOf('ike-sa-established')[0]!.proposal).toBe(STRONG)
    expect(client.eventsOf('ike-sa-established')).toHaveLength(1)
    const refused = call([old, people], suites(OLD))
    expect(servedAs(refused)).toBeUndefined()
    expect(refused.gateway.eventsOf('authentication-failed')[0]!.detail).toMatch(/with these algorithms/)
  })

  it('RFC 8247 §1: the suites of a connection that is for other addresses are not on offer', () => {
    const refused = call([{ ...old, remoteAddresses: ['203.0.113.0/24'] }, people], suites(OLD))
    expect(refused.client.eventsOf('handshake-failed')[0]).toMatchObject({ notify: 'NO_PROPOSAL_CHOSEN' })
  })
})
