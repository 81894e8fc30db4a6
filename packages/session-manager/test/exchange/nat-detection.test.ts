import { decodeMessage, NotifyType, type Payload } from '@underpass/ike-codec'
import { natDetectionHash } from '@underpass/ike-crypto'
import { describe, expect, it } from 'vitest'
import { detectNat, natDetectionPayloads } from '../../src/ike/nat-detection.ts'
import { parseAddress } from '../../src/index.ts'
import { isIkeSaInit, MeddledPair, rewritten } from '../meddler.ts'
import { CLIENT_ADDRESS, GATEWAY_ADDRESS, Pair, TCP, UDP } from '../pair.ts'

const CONTEXT = {
  initiatorSpi: 0x0102030405060708n,
  responderSpi: 0n,
  local: { address: '192.0.2.10', port: 40_000 },
  remote: { address: '198.51.100.1', port: 4500 },
}
const MIRRORED = { ...CONTEXT, local: CONTEXT.remote, remote: CONTEXT.local }

describe('RFC 7296 §2.23 NAT detection', () => {
  it('RFC 9329 §6.5 (T-NAT-1): over TCP both hashes are of the addresses and TCP ports, in request and response', () => {
    const pair = new Pair()
    pair.connect()
    const port = pair.gateway.eventsOf('connection-opened')[0]!.remote.port
    for (const { octets } of pair.log.slice(0, 2)) {
      const { header, payloads } = decodeMessage(octets)
      const isRequest = header.messageId === 0 && header.responderSpi === 0n
      const ends = [
        natDetectionHash(header.initiatorSpi, header.responderSpi, parseAddress(CLIENT_ADDRESS)!, port),
        natDetectionHash(header.initiatorSpi, header.responderSpi, parseAddress(GATEWAY_ADDRESS)!, 4500),
      ]
      expect(hashes(payloads)).toEqual(isRequest ? ends : ends.toReversed())
    }
  })

  it('RFC 9329 §6.5 (T-NAT-1): the responder checks them with the TCP ports: no NAT between the two', () => {
    const pair = new Pair()
    pair.connect()
    for (const node of [pair.client, pair.gateway])
      expect([...node.core.ikeSas.values()][0]!.nat).toEqual({ isLocalBehindNat: false, isRemoteBehindNat: false })
  })

  it('RFC 9329 §6.5 (T-NAT-2): a NAT that is found changes neither transport nor port, and no keep-alives are sent', () => {
    const pair = new Pair()
    pair.client.natAddress = '203.0.113.77'
    pair.connect()
    expect(pair.saOf(pair.gateway).nat).toEqual({ isLocalBehindNat: false, isRemoteBehindNat: true })
    expect(pair.saOf(pair.client).nat).toEqual({ isLocalBehindNat: true, isRemoteBehindNat: false })
    expect(pair.passesTraffic()).toBe(true)
    pair.run(60_000)
    expect(pair.pipes).toHaveLength(1)
    expect(pair.log.every((entry) => entry.transport === 'tcp')).toBe(true)
    expect(pair.datagrams).toHaveLength(0)
  })

  it('RFC 7296 §2.23 (C-27): over UDP a source hash that cannot match makes both ends encapsulate ESP', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.connect()
    expect(pair.saOf(pair.client).nat!.isRemoteBehindNat).toBe(true)
    expect(pair.saOf(pair.gateway).nat!.isRemoteBehindNat).toBe(true)
  })

  it('RFC 4555 §3.5 (C-27): nor does the source hash match in the answer to a move over UDP; over TCP it does', () => {
    const pair = new Pair({ transports: [UDP, TCP] })
    pair.connect()
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(1_000)
    expect(pair.saOf(pair.client).path!.transport).toBe('udp')
    expect(pair.saOf(pair.client).nat!.isRemoteBehindNat).toBe(true)

    pair.link.isUdpBlocked = true
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(3_000)
    expect(pair.saOf(pair.client).path!.transport).toBe('tcp')
    expect(pair.saOf(pair.client).nat).toEqual({ isLocalBehindNat: false, isRemoteBehindNat: false })
  })

  it('RFC 7296 §2.23 (C-27): IKE_AUTH and ESP go to the NAT traversal port', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
    const path = pair.saOf(pair.client).path!
    expect(path.transport === 'udp' && path.remote.port).toBe(4500)
    // RFC 3948 §2.1 (U-1): ESP on the port of IKE, on both sides.
    const esp = pair.datagrams.filter((datagram) => datagram.kind === 'esp')
    expect(esp.map(({ from, remote }) => [from.name, remote.port])).toEqual([
      ['client', 4500],
      ['gateway', 4500],
    ])
  })

  it('RFC 3948 §2.3 (U-1): a keep-alive is one octet 0xff and is dropped', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.connect()
    const counted = pair.counter(pair.gateway, 'nat-keepalives-in')
    pair.input(pair.gateway, {
      kind: 'datagram',
      local: { address: GATEWAY_ADDRESS, port: 4500 },
      remote: { address: CLIENT_ADDRESS, port: 4500 },
      message: 'keepalive',
      bytes: Uint8Array.of(0xff),
    })
    expect(pair.counter(pair.gateway, 'nat-keepalives-in')).toBe(counted + 1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.23 (C-27): to an initiator without NAT detection none is said', () => {
    const pair = new MeddledPair({ transports: [UDP], clientTimers: { retry: 60_000 } })
    pair.meddle = (message) =>
      isIkeSaInit(message, 'request') ? [rewritten(message, (payloads) => payloads.filter((payload) => payload.type !== 'N'))] : undefined
    pair.initiate()
    pair.run(100)
    expect(pair.transcript()[1]).toBe('R → I  HDR, SAr1, KEr, Nr')
  })

  it('RFC 7296 §2.23: with the same view on both sides there is no NAT', () => {
    expect(detectNat(MIRRORED, natDetectionPayloads(CONTEXT))).toEqual({ isLocalBehindNat: false, isRemoteBehindNat: false })
  })

  it.each([
    [
      'the remote port',
      { ...MIRRORED, remote: { ...MIRRORED.remote, port: 40_001 } },
      { isLocalBehindNat: false, isRemoteBehindNat: true },
    ],
    [
      'the remote address',
      { ...MIRRORED, remote: { ...MIRRORED.remote, address: '203.0.113.1' } },
      { isLocalBehindNat: false, isRemoteBehindNat: true },
    ],
    [
      'our own address',
      { ...MIRRORED, local: { ...MIRRORED.local, address: '10.0.0.1' } },
      { isLocalBehindNat: true, isRemoteBehindNat: false },
    ],
  ])('RFC 7296 §2.23: %s that is not what was hashed is a NAT', (_, context, findings) => {
    expect(detectNat(context, natDetectionPayloads(CONTEXT))).toEqual(findings)
  })

  it('RFC 7296 §2.23: of several source hashes one that fits will do', () => {
    const [source, destination] = natDetectionPayloads(CONTEXT)
    const wrong = natDetectionPayloads(CONTEXT, new Uint8Array(20))[0]!
    expect(detectNat(MIRRORED, [wrong, source!, wrong, destination!])).toEqual({ isLocalBehindNat: false, isRemoteBehindNat: false })
  })

  it('RFC 7296 §2.23: IPv6 addresses are hashed in 16 octets', () => {
    const local = { address: '2001:db8::1', port: 1 }
    const hash = natDetectionHash(CONTEXT.initiatorSpi, 0n, parseAddress('2001:db8::1')!, 1)
    expect(hashes(natDetectionPayloads({ ...CONTEXT, local }))[0]).toEqual(hash)
  })

  it('RFC 7296 §2.23: a hash of another length is no match and no crash', () => {
    const payloads = natDetectionPayloads(CONTEXT).map((payload) =>
      payload.type === 'N' ? { ...payload, data: payload.data.slice(1) } : payload,
    )
    expect(detectNat(MIRRORED, payloads)).toEqual({ isLocalBehindNat: true, isRemoteBehindNat: true })
  })
})

/** Of source and destination, in this order. */
function hashes(payloads: readonly Payload[]): Uint8Array[] {
  return [NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP].flatMap((wanted) =>
    payloads.flatMap((payload) => (payload.type === 'N' && payload.notifyType === wanted ? [payload.data] : [])),
  )
}
