import { dirname, join } from 'node:path'
import { describeIdentity } from '@underpass/session-manager'
import { describe, expect, it } from 'vitest'
import { type ClientConfig, clientSessionConfig, HostError, loadClientConfig } from '../../src/index.ts'
import { temporaryFile } from '../temporary.ts'

const GOOD = `[peer]
gateway = "vpn.example.com"
local_id = "alice@example.com"
psk = "0123456789abcdef0123456789abcdef"
`

describe('a client configuration', () => {
  it('needs a gateway, an identity and a secret, and fills in the rest', () => {
    const config = load(GOOD)
    expect(config).toMatchObject({
      gateway: 'vpn.example.com',
      transports: [
        { transport: 'udp', port: 500, natPort: 4500 },
        { transport: 'tcp', port: 4500, framing: 'rfc9329' },
      ],
      keepRetrying: false,
      routes: 'negotiated',
      dns: 'report',
      crypto: 'auto',
      tun: { device: 'tun', name: 'underpass0', mtu: 1400, addresses: [] },
      peer: {
        name: 'vpn.example.com',
        remoteId: undefined,
        localSubnets: 'virtual',
        remoteSubnets: ['0.0.0.0/0'],
        requestAddresses: ['ipv4'],
        esn: true,
      },
    })
    expect(config.peer.ikeProposals.length).toBeGreaterThan(3)
    expect(clientSessionConfig(config, [{ address: '192.0.2.9' }])).toMatchObject({
      acceptsPeers: false,
      peers: [{ dial: { address: '192.0.2.9' } }],
    })
  })

  it('TS 24.302 F.3.2.4 (F-5): the keep-alive envelope is 2 to 6 octets in hex, of which the first two are their number', () => {
    const file = (envelope: string, transport: string): string =>
      `${GOOD}transports = [${transport}]\nftt_keepalive = ${JSON.stringify(envelope)}\n`
    const ftt = '{ transport = "tls", port = 443, framing = "3gpp-ftt" }'
    expect(load(file('00040a0B', ftt)).peer.fttKeepalive).toEqual(Uint8Array.of(0, 4, 10, 11))
    expect(load(GOOD).peer.fttKeepalive).toBeUndefined()
    expect(load(file('0002', '"tls:443"')).warnings).toEqual([
      expect.stringContaining('peer.ftt_keepalive: is for the framing "3gpp-ftt", which none of the transports has'),
    ])
    for (const wrong of ['0003', '00', '0007ffffffffff', '0x0003ff', '0001'])
      expect(() => load(file(wrong, ftt))).toThrow(`peer.ftt_keepalive: ${JSON.stringify(wrong)} is no keep-alive envelope`)
  })

  it('takes every key', () => {
    const config = load(`control = "/run/x.sock"
keep_retrying = true
cpus = [1]
tun = "memory"
${GOOD}name = "office"
transports = ["udp:4501", "tcp:443", { transport = "tcp", port = 444, framing = "3gpp-ftt" }]
framing = "pauly-03"
dscp = "AF41"
remote_id = "@gw"
local = ["10.1.0.0/24", "10.1.2.1-10.1.2.9"]
request_addresses = []
remote = ["::/0"]
ike = ["aes256-sha256-modp2048"]
esp = ["chacha20poly1305"]
esn = false
replay_window = 64
[network]
routes = ["10.5.0.0/16"]
dns = "resolvectl"
[provider]
crypto = "noble"
[tcp]
congestion_control = "bbr"
thin_acks = true
send_buffer = 1000000
receive_buffer = 2000000
[udp]
receive_buffer = 8000000
[timers]
udp_fallback = "500ms"
liveness = "2m"
max_retransmissions = 3
[limits]
max_half_open = 7
`)
    expect(config).toMatchObject({
      control: '/run/x.sock',
      keepRetrying: true,
      congestionControl: 'bbr',
      tcpBuffers: { sendBuffer: 1_000_000, receiveBuffer: 2_000_000 },
      udpBuffers: { receiveBuffer: 8_000_000 },
      dscp: 34,
      thinsAcks: true,
      cpus: [1],
      tun: { device: 'memory' },
      transports: [
        { transport: 'udp', port: 4501, natPort: 4501 },
        { transport: 'tcp', port: 443, framing: 'pauly-03' },
        { transport: 'tcp', port: 444, framing: '3gpp-ftt' },
      ],
      peer: {
        name: 'office',
        localSubnets: ['10.1.0.0/24', '10.1.2.1-10.1.2.9'],
        remoteSubnets: ['::/0'],
        requestAddresses: [],
        esn: false,
        replayWindow: 64,
      },
      routes: ['10.5.0.0/16'],
      dns: 'resolvectl',
      crypto: 'noble',
      timers: { udpFallback: 500, liveness: 120_000, maxRetransmissions: 3, retry: 1000 },
      limits: { maxHalfOpen: 7, maxConnections: 20_000 },
    })
    expect(config.peer.ikeProposals).toHaveLength(1)
  })

  it.each([
    ['@vpn.example.com', '@vpn.example.com'],
    ['vpn.example.com', '@vpn.example.com'],
    ['fqdn:vpn', '@vpn'],
    ['alice@example.com', 'alice@example.com'],
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['keyid:0x00ff', 'keyid:0x00ff'],
  ])('RFC 7296 §3.5 (C-33): the identity %s is %s', (written, described) => {
    expect(describeIdentity(load(GOOD.replace('alice@example.com', written)).peer.localId)).toBe(described)
  })
})

describe('what is wrong with a client configuration is told with its key and line', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    [
      'not a transport',
      `${GOOD}transports = ["udp", "tpc:4500"]`,
      'client.toml:5: peer.transports[1]: "tpc:4500" is not a transport; use "udp", "udp:PORT", "tcp:PORT", "tls:PORT" or "tls:PORT via http://proxy:3128"; did you mean "tcp:4500"?',
    ],
    [
      'TCP without a port',
      `${GOOD}transports = ["tcp"]`,
      'client.toml:5: peer.transports[0]: "tcp" is not a transport; use "udp", "udp:PORT", "tcp:PORT", "tls:PORT" or "tls:PORT via http://proxy:3128"; did you mean "tcp:4500"?',
    ],
    [
      'a port that is none',
      `${GOOD}transports = ["tcp:99999"]`,
      'client.toml:5: peer.transports[0]: "tcp:99999" has a port out of range; use 1 to 65535',
    ],
    [
      'a protocol that is misspelt, and no port',
      `${GOOD}transports = ["tpc:any"]`,
      'is not a transport; use "udp", "udp:PORT", "tcp:PORT", "tls:PORT" or "tls:PORT via http://proxy:3128"; did you mean "tcp:4500"?',
    ],
    ['port 0', `${GOOD}transports = ["udp:0"]`, 'client.toml:5: peer.transports[0]: "udp:0" has a port out of range; use 1 to 65535'],
    ['no transport', `${GOOD}transports = []`, 'client.toml:5: peer.transports: must not be empty'],
    ['an unknown key', `${GOOD}transport = ["udp"]`, 'client.toml:5: peer.transport: is not a key here; did you mean "transports"?'],
    ['an unknown table', `${GOOD}[lmits]\n`, 'client.toml:5: lmits: is not a key here; did you mean "limits"?'],
    [
      'an unknown limit',
      `${GOOD}[limits]\nmax_half_opn = 1`,
      'client.toml:6: limits.max_half_opn: is not a key here; did you mean "max_half_open"?',
    ],
    ['a missing key', GOOD.replace(/gateway.*\n/, ''), 'client.toml:1: peer.gateway: is required'],
    ['no secret', GOOD.replace(/psk.*\n/, ''), 'client.toml:1: peer.psk: is required (or psk_file)'],
    ['two secrets', `${GOOD}psk_file = "x"`, 'client.toml:5: peer.psk_file: cannot stand beside psk; use one of them'],
    ['a secret of the wrong kind', GOOD.replace(/psk = .*/, 'psk = 123456'), 'client.toml:4: peer.psk: is not text'],
    ['half an octet', GOOD.replace(/psk = .*/, 'psk = "0x123"'), 'client.toml:4: peer.psk: begins with 0x but is not hex of whole octets'],
    [
      'a gateway that is no name',
      GOOD.replace('vpn.example.com', 'vpn example'),
      'client.toml:2: peer.gateway: "vpn example" is neither a host name nor an address',
    ],
    [
      'an identity with a space',
      GOOD.replace('alice@', 'al ice@'),
      'client.toml:3: peer.local_id: "al ice@example.com" is not an identity; write "@name.example", "user@host.example", an address, or "keyid:0x…"',
    ],
    [
      'an unknown algorithm',
      `${GOOD}ike = ["aes256gcm16-prfsha256-x25519", "rot13"]`,
      'client.toml:5: peer.ike[1]: "rot13" is not an algorithm suite',
    ],
    [
      'an IKE suite without key exchange',
      `${GOOD}ike = ["aes256gcm16-prfsha256"]`,
      'client.toml:5: peer.ike[0]: "aes256gcm16-prfsha256" is not an algorithm suite: it names no key exchange',
    ],
    [
      'a subnet that is none',
      `${GOOD}remote = ["10.0.0.0/33"]`,
      'client.toml:5: peer.remote[0]: "10.0.0.0/33" is not a subnet; write "10.2.0.0/24" or "10.2.0.1-10.2.0.9"',
    ],
    [
      'a duration without a unit',
      `${GOOD}[timers]\nretry = "30"`,
      'client.toml:6: timers.retry: "30" is not a duration; write "500ms", "30s" or "2m"',
    ],
    [
      'a duration that is a number',
      `${GOOD}[timers]\nudp_fallback = 1600`,
      'client.toml:6: timers.udp_fallback: 1600 has no unit; write it as text with one, such as "1600ms"',
    ],
    [
      'a duration that is a number below nothing',
      `${GOOD}[timers]\nudp_fallback = -1`,
      'client.toml:6: timers.udp_fallback: -1 is not a duration; write "500ms", "30s" or "2m"',
    ],
    ['a duration that is yes or no', `${GOOD}[timers]\nretry = true`, 'client.toml:6: timers.retry: true is not text'],
    [
      '[peers]',
      `keep_retrying = true\n${GOOD.replace('[peer]', '[peers]')}`,
      'client.toml:2: peers: is not a key here; did you mean "peer"?',
    ],
    [
      'a required key that is misspelt',
      GOOD.replace('gateway', 'gatewya'),
      'client.toml:2: peer.gatewya: is not a key here; did you mean "gateway"?',
    ],
    [
      'an address with a part missing',
      GOOD.replace('vpn.example.com', '192.0.2'),
      'client.toml:2: peer.gateway: "192.0.2" is neither a host name nor an address',
    ],
    [
      'a buffer that the core would refuse',
      `${GOOD}[limits]\nmax_buffered_per_connection = 100`,
      'client.toml:6: limits.max_buffered_per_connection: 100 is less than 1280',
    ],
    ['a number for a yes or no', `${GOOD}[limits]\ncookies_over_tcp = 1`, 'client.toml:6: limits.cookies_over_tcp: 1 is not true or false'],
    ['a limit below its least', `${GOOD}[limits]\nmax_ike_sas = 0`, 'client.toml:6: limits.max_ike_sas: 0 is less than 1'],
    [
      'a message longer than RFC 9329 can frame',
      `${GOOD}[limits]\nmax_message_length = 70000`,
      'client.toml:6: limits.max_message_length: 70000 is more than 65533',
    ],
    ['a device that is none', `tun = "tap"\n${GOOD}`, 'client.toml:1: tun.device: "tap" is not known here; use "tun", "packet", "memory"'],
    ['an interface name that is too long', `${GOOD}[tun]\nname = "a-very-long-name"`, 'client.toml:6: tun.name: is not an interface name'],
    [
      'an unknown framing',
      `${GOOD}framing = "rfc8229"`,
      'client.toml:5: peer.framing: "rfc8229" is not known here; use "rfc9329", "pauly-03", "3gpp-ftt"; did you mean "rfc9329"?',
    ],
    [
      'routes of the wrong kind',
      `${GOOD}[network]\nroutes = "all"`,
      'client.toml:6: network.routes: is neither "negotiated", "none" nor a list of subnets',
    ],
    [
      'own subnets beside an assigned address',
      `${GOOD}local = ["10.1.0.0/24"]\nrequest_addresses = ["ipv4"]`,
      'client.toml:5: peer.local: cannot stand beside request_addresses',
    ],
    ['no TOML, with its column', `${GOOD}oops\n`, 'client.toml:5:5: is not TOML: '],
    [
      'a text that does not end, with its column',
      'control = "x\n[peer]\n',
      'client.toml:1:13: is not TOML: a text is not closed: its second quote is missing',
    ],
    ['a text that does not end with the file', `${GOOD}name = "x`, ': is not TOML: a text is not closed: its second quote is missing'],
    [
      'a gateway’s file',
      '[[connection]]\nname = "x"\n',
      "client.toml:1: connection: this is a gateway's file, for underpass-gateway; a client's has a [peer]",
    ],
    [
      '[peer] forgotten',
      `keep_retrying = true\n${GOOD.replace('[peer]\n', '')}`,
      'client.toml:2: gateway: belongs below [peer]; that line is missing above it',
    ],
    [
      'text for a list',
      `${GOOD}remote = "10.2.0.0/24"`,
      'client.toml:5: peer.remote: text is not a list; write [ ] around it: key = ["…"]',
    ],
    [
      'a range that runs backwards',
      `${GOOD}remote = ["10.2.0.9-10.2.0.1"]`,
      'client.toml:5: peer.remote[0]: "10.2.0.9-10.2.0.1" has its first address above its last',
    ],
    [
      'an unknown key that begins like a known one',
      `${GOOD}remote_identity = "@gw"`,
      'client.toml:5: peer.remote_identity: is not a key here; did you mean "remote_id"?',
    ],
    [
      'an unknown key like no other',
      `${GOOD}[network]\nfirewall = true`,
      'client.toml:6: network.firewall: is not a key here; known are routes, dns',
    ],
  ]
  it.each(rows)('%s', (_, text, message) => {
    expect(complaint(text)).toContain(message)
    expect(complaint(text).split('\n')).toHaveLength(1)
  })

  it('host bits of a subnet are a warning that says what is taken, and it is', () => {
    const { warnings, peer, routes } = load(`${GOOD}remote = ["10.2.0.5/24"]\n[network]\nroutes = ["10.2.0.0/25", "fd00::1/64"]\n`)
    expect([peer.remoteSubnets, routes]).toEqual([['10.2.0.0/24'], ['10.2.0.0/25', 'fd00::/64']])
    expect(warnings.map((text) => text.replace(/^.*client/, 'client'))).toEqual([
      'client.toml:5: peer.remote[0]: "10.2.0.5/24" has bits beyond its prefix; 10.2.0.0/24 is taken',
      'client.toml:7: network.routes[1]: "fd00::1/64" has bits beyond its prefix; fd00::/64 is taken',
    ])
  })

  it.each([9000, 1439])('an mtu of %i beside a UDP transport is a warning that says what to do', (mtu) => {
    const file = `${GOOD}[tun]\nmtu = ${mtu}\n`
    expect(load(file).warnings.map((text) => text.replace(/^.*client/, 'client'))).toEqual([
      `client.toml:6: tun.mtu: packets of up to ${mtu} octets do not fit into UDP on an ordinary path of 1500, and are fragmented or lost; set at most 1438, or leave UDP out, as with transports = ["tcp:4500"]`,
    ])
    expect(load(file.replace('[tun]', 'transports = ["tcp:4500"]\n[tun]')).warnings).toEqual([])
    expect(load(file.replace(`${mtu}`, '1438')).warnings).toEqual([])
  })

  it('tells everything that is wrong at once: unknown keys, which may be the cause of the rest, and then in the order of the file', () => {
    expect(
      complaint(`tun = "tap"\n[peer]\ngateway = 1\nlocal_id = ""\nbogus = 1\n`)
        .split('\n')
        .map((line) => line.slice(0, 30)),
    ).toEqual([
      'client.toml:5: peer.bogus: is ',
      'client.toml:1: tun.device: "ta',
      'client.toml:2: peer.psk: is re',
      'client.toml:3: peer.gateway: 1',
      'client.toml:4: peer.local_id: ',
    ])
  })

  it('a misspelt table beside the right one takes nothing away from what is required', () => {
    expect(complaint('[peer]\n[peers]\n').split('\n')).toEqual([
      'client.toml:2: peers: is not a key here; did you mean "peer"?',
      'client.toml:1: peer.gateway: is required',
      'client.toml:1: peer.local_id: is required',
      'client.toml:1: peer.psk: is required (or psk_file)',
    ])
  })

  it.each([
    ['in an empty file', '', 1],
    ['in an empty table', 'keep_retrying = true\n[peer]\n', 2],
  ])('every required key that is missing, at once and on the line of its table: %s', (_, text, line) => {
    expect(complaint(text).split('\n')).toEqual([
      `client.toml:${line}: peer.gateway: is required`,
      `client.toml:${line}: peer.local_id: is required`,
      `client.toml:${line}: peer.psk: is required (or psk_file)`,
    ])
  })

  it('every unknown key, each with the nearest', () => {
    expect(complaint(`${GOOD}remot = []\nlokal = []\nesm = true\n`).split('\n')).toEqual([
      'client.toml:5: peer.remot: is not a key here; did you mean "remote"?',
      'client.toml:6: peer.lokal: is not a key here; did you mean "local"?',
      'client.toml:7: peer.esm: is not a key here; did you mean "esp"?',
    ])
  })

  it('as data: the line, the column where there is one, and the key', () => {
    expect(() => load('[peer]\noops')).toThrow(
      expect.objectContaining({
        context: expect.objectContaining({ issues: [{ line: 2, column: 1, key: '', message: expect.any(String) }] }),
      }),
    )
  })

  it('never shows the secret, not even where the file is no TOML', () => {
    for (const text of [
      GOOD.replace('psk = "', 'psk = 0x"'),
      GOOD.replace(/psk = "(.*)"/, 'psk = "$1'),
      GOOD.replace(/psk = .*/, 'psk = "0x0123456789abcdef0123456789abcdefg"'),
      GOOD.replace('psk', 'pks'),
    ])
      expect(complaint(text)).not.toContain('0123456789')
  })

  it('a file that is not there', () => {
    const file = join(dirname(temporaryFile('x', '')), 'none.toml')
    expect(() => loadClientConfig(file)).toThrow(expect.objectContaining({ code: 'CONFIG_UNREADABLE' }))
  })
})

function load(text: string): ClientConfig {
  return loadClientConfig(temporaryFile('client.toml', text))
}

/** The message, with the file's directory taken off. */
function complaint(text: string): string {
  const file = temporaryFile('client.toml', text)
  try {
    loadClientConfig(file)
  } catch (error) {
    if (error instanceof HostError) return error.message.replaceAll(`${dirname(file)}/`, '')
    throw error
  }
  throw new Error('there was nothing to complain about')
}
