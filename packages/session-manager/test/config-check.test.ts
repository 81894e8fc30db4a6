import { describe, expect, it } from 'vitest'
import { type Limits, type PeerConfig, SessionError, SessionManager } from '../src/index.ts'
import { seededRandom } from './network.ts'
import { clientPeer, gatewayPeer, sessionConfig, TCP, UDP } from './pair.ts'

describe('RFC 4301 §4.4.3: a peer whose text does not parse is refused by name, not guessed at', () => {
  it.each<[string, Partial<PeerConfig>, string]>([
    ['its own subnet', { localSubnets: ['10.2.0.0/24', '10.3.0.0/33'] }, 'localSubnets: "10.3.0.0/33" is no subnet'],
    ['the other subnet', { remoteSubnets: ['10.9.0.0-10.8.0.0'], pool: undefined }, 'remoteSubnets: "10.9.0.0-10.8.0.0" is no subnet'],
    ['no subnet at all', { localSubnets: [] }, 'localSubnets is empty'],
    ['none on the other side', { remoteSubnets: [], pool: undefined }, 'remoteSubnets is empty'],
    ['a range of the pool', { pool: pool({ ranges: ['10.8.0.10-'] }) }, 'pool.ranges: "10.8.0.10-" is no subnet'],
    ['no range of the pool', { pool: pool({ ranges: [] }) }, 'pool.ranges is empty'],
    ['a DNS server', { pool: pool({ dns: ['dns.example'] }) }, 'pool.dns: "dns.example" is no address'],
    ['a subnet of the pool', { pool: pool({ subnets: ['10.2.0.0/24', 'all'] }) }, 'pool.subnets: "all" is no subnet'],
    ['one that is no prefix', { pool: pool({ subnets: ['10.2.0.1-10.2.0.9'] }) }, 'pool.subnets: "10.2.0.1-10.2.0.9" is no single prefix'],
    ['a window that is too small', { replayWindow: 31 }, 'replayWindow is 31, which is not 32 to 4096'],
  ])('%s', (_, peer, message) => {
    expect(refusal([{ ...gatewayPeer(), ...peer }])).toBe(`peer "road": ${message}`)
  })

  it.each<[string, Partial<PeerConfig>, string]>([
    ['no transport', { dial: { address: '192.0.2.1', transports: [] } }, 'dial.transports is empty'],
    [
      'a port out of range',
      { dial: { address: '192.0.2.1', transports: [{ ...TCP, port: 0 }] } },
      'dial.transports: port 0 is not 1 to 65535',
    ],
    [
      'a NAT traversal port out of range',
      { dial: { address: '192.0.2.1', transports: [{ ...UDP, natPort: 70_000 }] } as PeerConfig['dial'] },
      'dial.transports: port 70000 is not 1 to 65535',
    ],
    ['a name to dial', { dial: { address: 'gw.example', transports: [TCP] } }, 'dial.address: "gw.example" is no address'],
  ])('%s', (_, peer, message) => {
    expect(refusal([{ ...clientPeer([TCP]), ...peer }])).toBe(`peer "gateway": ${message}`)
  })
})

describe('RFC 7296 §2.6: limits on half-open IKE SAs that contradict each other', () => {
  it.each<[string, Partial<Limits>, string]>([
    [
      'cookies that come too late',
      { cookieThreshold: 50, maxHalfOpen: 50 },
      'limits.cookieThreshold is 50, which is not below limits.maxHalfOpen, 50',
    ],
    ['no half-open IKE SA', { cookieThreshold: 0, maxHalfOpen: 0 }, 'limits.maxHalfOpen is 0: nobody could connect'],
    ['none of one address', { maxHalfOpenPerAddress: 0 }, 'limits.maxHalfOpenPerAddress is 0: nobody could connect'],
  ])('%s', (_, limits, message) => {
    expect(refusal([gatewayPeer()], limits)).toBe(message)
  })

  it('are nothing to who answers nobody', () => {
    expect(() => new SessionManager(sessionConfig([clientPeer([TCP])], false, {}, { maxHalfOpen: 7 }), seededRandom('a'))).not.toThrow()
  })
})

function pool(changes: Partial<NonNullable<PeerConfig['pool']>>): PeerConfig['pool'] {
  return { ...gatewayPeer().pool!, ...changes }
}

function refusal(peers: readonly PeerConfig[], limits: Partial<Limits> = {}): string {
  try {
    new SessionManager(sessionConfig(peers, true, {}, limits), seededRandom('refused'))
  } catch (error) {
    if (error instanceof SessionError && error.code === 'INVALID_CONFIG') return error.message
    throw error
  }
  return 'nothing'
}
