import { describe, expect, it } from 'vitest'
import { describeStatus, type ProgramStatus } from '../../src/index.ts'

describe('status in words', () => {
  it('names what it runs on, the path and why, addresses, traffic, host changes, counters and the latest events', () => {
    const path = {
      transport: 'tcp',
      local: { address: '198.51.100.7', port: 40_000 },
      remote: { address: '192.0.2.9', port: 4500 },
      framing: 'rfc9329',
    } as const
    const status: ProgramStatus = {
      program: 'underpass',
      pid: 42,
      startedAt: '2026-01-01T00:00:00.000Z',
      configFile: 'client.toml',
      runsOn: {
        runtime: { name: 'node', version: '20.20.2', platform: 'linux', arch: 'x64' },
        tcp: { kind: 'native', isFallback: false },
        udp: undefined,
        esp: { kind: 'openssl', reason: 'the fastest, and libcrypto is here', isFallback: false },
        offload: { kind: 'yes', isFallback: false },
      },
      congestionControl: 'bbr',
      thinsAcks: true,
      tcpBuffers: { sendBuffer: 1_000_000 },
      udpBuffers: {},
      dscp: [46, 3],
      gaps: ['net.ipv4.tcp_ecn = 1 …'],
      cpus: [0, 1],
      network: { identity: '0123456789abcdef', keptIn: '/var/lib/underpass/networks.json' },
      host: {
        device: { name: 'underpass0', kind: 'tun', mtu: 1400, counters: {} },
        listening: [],
        changes: ['route 10.2.0.0/24 through underpass0'],
      },
      session: {
        peers: [
          {
            name: 'gw',
            state: 'up',
            attempts: [
              { transport: 'udp:500', outcome: 'failed', reason: 'no answer in 1.6 s' },
              { transport: 'tcp:4500', outcome: 'chosen', reason: 'UDP had no answer' },
            ],
            blocked: [{ transport: 'udp:500', forMilliseconds: 540_000 }],
          },
        ],
        ikeSas: [
          {
            id: '1',
            peer: 'gw',
            role: 'initiator',
            state: 'established',
            initiatorSpi: '01',
            responderSpi: '02',
            localId: '@me',
            remoteId: '@gw',
            proposal: 'aes',
            path,
            addresses: [{ address: '10.99.0.2', prefixLength: 32 }],
            children: [
              {
                inboundSpi: 'c1',
                outboundSpi: 'c2',
                proposal: 'aes',
                localTs: ['10.99.0.2/32'],
                remoteTs: ['10.2.0.0/24'],
                packetsIn: 3,
                octetsIn: 300,
                packetsOut: 4,
                octetsOut: 400,
              },
            ],
            establishedMillisecondsAgo: 61_000,
          },
        ],
        connections: [{ connection: 2, role: 'originator', remote: '192.0.2.9:4500', framing: 'rfc9329', ikeSas: ['1'], queuedOctets: 9 }],
        halfOpen: 0,
        counters: { 'esp.replay': 2, 'esp.icv': 0 },
      },
      events: [
        {
          at: '2026-01-01T00:00:01.250Z',
          event: { kind: 'transport-chosen', peer: 'gw', transport: 'tcp:4500', reason: 'UDP had no answer' },
        },
      ],
    }
    expect(describeStatus(status, Date.parse('2026-01-01T00:01:30Z'))).toBe(`underpass (pid 42) up for 90 s, client.toml
runs on Node 20.20.2, linux x64
  TCP sockets: native
  ESP cryptography: openssl, the fastest, and libcrypto is here
  TUN offloads: yes
device underpass0 (tun, mtu 1400)
network: 0123456789abcdef; what is learnt of networks is kept in /var/lib/underpass/networks.json
kept on CPU 0, 1; congestion control of TCP: bbr; buffers of TCP: 1000000 octets to send; DSCP outside: EF (46), 3; TCP acknowledgements that wait are thinned
not to be had here: net.ipv4.tcp_ecn = 1 …

gw: up
  udp:500: failed, no answer in 1.6 s
  tcp:4500: chosen, UDP had no answer
  udp:500: did not get through on this network, remembered for another 9 min
  IKE SA 1 established, for 61 s: @me and @gw, tcp 192.0.2.9:4500 (aes, initiator)
    addresses 10.99.0.2
    Child SA c1/c2: 10.99.0.2/32 <-> 10.2.0.0/24 (aes)
      in 3 packets, 300 octets; out 4 packets, 400 octets

connections
  2 originator with 192.0.2.9:4500 (TCP, rfc9329), 9 octets queued

host changes, undone on exit
  route 10.2.0.0/24 through underpass0

counters
  esp.replay 2

latest events
  00:00:01.250 gw: using tcp:4500: UDP had no answer
`)
  })
})
