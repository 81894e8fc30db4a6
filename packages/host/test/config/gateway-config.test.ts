import { dirname } from 'node:path'
import { describeIdentity } from '@underpass/session-manager'
import { describe, expect, it } from 'vitest'
import { type GatewayConfig, gatewaySessionConfig, HostError, loadGatewayConfig } from '../../src/index.ts'
import { temporaryFile } from '../temporary.ts'
import { secretOf } from './secret-of.ts'

const PEOPLE = `[[connection]]
name = "people"
local_id = "@gw"
pool = { ranges = ["10.99.0.2-10.99.0.9"], dns = ["10.2.0.53"] }
`
const SECRETS = `[[secret]]
id = "alice@example.com"
psk = "0123456789abcdef-alice"
[[secret]]
id = "bob@example.com"
psk = "0123456789abcdef-bob"
`

describe('a gateway configuration', () => {
  it('RFC 9329 §2, §11 (T-CFG-1, T-IANA-1): listens on UDP 500 and 4500 and TCP 4500 where it says nothing', () => {
    const config = load(PEOPLE + SECRETS)
    expect(config.udp).toEqual([
      { address: undefined, port: 500 },
      { address: undefined, port: 4500 },
    ])
    expect(config.tcp).toEqual([{ address: undefined, port: 4500, framing: 'rfc9329', isTls: false }])
    expect(gatewaySessionConfig(config).acceptsPeers).toBe(true)
  })

  it('takes listeners as numbers, text and tables', () => {
    const config = load(`[listen]
address = ["192.0.2.1", "2001:db8::1"]
udp = []
tcp = [4500, "443", "192.0.2.7:444", "[2001:db8::7]:445", { port = 446, framing = "3gpp-ftt" }]
framing = "pauly-03"
${PEOPLE}${SECRETS}`)
    expect(config.udp).toEqual([])
    expect(config.tcp.map(({ address, port, framing }) => `${address} ${port} ${framing}`)).toEqual([
      '192.0.2.1 4500 pauly-03',
      '2001:db8::1 4500 pauly-03',
      '192.0.2.1 443 pauly-03',
      '2001:db8::1 443 pauly-03',
      '192.0.2.7 444 pauly-03',
      '2001:db8::7 445 pauly-03',
      '192.0.2.1 446 3gpp-ftt',
      '2001:db8::1 446 3gpp-ftt',
    ])
  })

  it('RFC 9329 §6.8 (T-SA-2): a listener has its own DSCP, or that of all', () => {
    const { udp, tcp } = load(`[listen]
udp = [500, { port = 4500, dscp = 0 }]
tcp = [{ port = 4500, dscp = "AF41" }, 443]
dscp = "EF"
${PEOPLE}${SECRETS}`)
    expect([...udp, ...tcp].map(({ port, dscp }) => `${port} ${dscp}`)).toEqual(['500 46', '4500 0', '4500 34', '443 46'])
    expect(load(PEOPLE + SECRETS).tcp).toEqual([{ address: undefined, port: 4500, framing: 'rfc9329', isTls: false }])
  })

  it('makes a peer for everybody with a secret, and they share one pool', () => {
    const { peers } = load(PEOPLE + SECRETS)
    expect(peers.map(({ name, remoteId }) => [name, describeIdentity(remoteId!)])).toEqual([
      ['people/alice@example.com', 'alice@example.com'],
      ['people/bob@example.com', 'bob@example.com'],
    ])
    expect(peers[0]!.pool).toBe(peers[1]!.pool)
    expect(peers[0]).toMatchObject({
      remoteSubnets: 'virtual',
      localSubnets: ['0.0.0.0/0'],
      dial: undefined,
      pool: { dns: ['10.2.0.53'], subnets: [] },
    })
    expect(new TextDecoder().decode(secretOf(peers[1]!))).toBe('0123456789abcdef-bob')
  })

  it('RFC 4555 §3.4 (M-1): other addresses of the gateway are every peer’s, path checks a connection’s own', () => {
    const { peers } = load(`[listen]
additional_addresses = ["198.51.100.2", "2001:db8::2"]
${PEOPLE}path_checks = false
${SECRETS}`)
    const expected = { additionalAddresses: ['198.51.100.2', '2001:db8::2'], pathChecks: false }
    expect(peers).toMatchObject(peers.map(() => expected))
    expect(load(PEOPLE + SECRETS).peers[0]).toMatchObject({ pathChecks: true })
    expect(() => load(`[listen]\nadditional_addresses = ["vpn.example.com"]\n${PEOPLE}${SECRETS}`)).toThrow('additional_addresses')
  })

  it.each([
    ['', true],
    ['address = ["0.0.0.0"]\n', true],
    ['address = ["198.51.100.1"]\nudp = [500, "[::]:4500"]\n', true],
    ['address = ["198.51.100.1", "198.51.100.2"]\n', false],
    ['udp = []\n', false],
  ])('RFC 7296 §2.11: other addresses, and UDP on every address (%j), are a warning: %s', (listen, isWarned) => {
    const text = (addresses: string): string => `[listen]\nadditional_addresses = [${addresses}]\n${listen}${PEOPLE}${SECRETS}`
    const warning =
      /gw\.toml:2: listen\.additional_addresses: are not heard from over UDP: .* name each address of this gateway in listen\.address$/
    expect(load(text('"198.51.100.2"')).warnings).toEqual(isWarned ? [expect.stringMatching(warning)] : [])
    expect(load(text('')).warnings).toEqual([])
  })

  it('makes a peer for whoever has the connection’s own secret', () => {
    const { peers } = load(`${PEOPLE}psk = "0123456789abcdef"\n`)
    expect(peers.map(({ name, remoteId }) => [name, remoteId])).toEqual([['people', undefined]])
  })

  it('joins two networks', () => {
    const { peers } = load(`[[connection]]
name = "branch"
local_id = "@gw"
remote_id = "@branch"
psk = "0123456789abcdef"
local = ["10.2.0.0/24"]
remote = ["10.3.0.0/24"]
`)
    expect(peers).toMatchObject([{ name: 'branch', localSubnets: ['10.2.0.0/24'], remoteSubnets: ['10.3.0.0/24'], pool: undefined }])
  })

  const rows: readonly (readonly [string, string, string])[] = [
    [
      'a listener that is none',
      `[listen]\ntcp = ["x:1"]\n${PEOPLE}${SECRETS}`,
      'gw.toml:2: listen.tcp[0]: "x:1" is not a listener; write 4500, "4500", "192.0.2.1:4500" or "[2001:db8::1]:4500"',
    ],
    [
      'text with a port out of range',
      `[listen]\ntcp = ["192.0.2.1:70000"]\n${PEOPLE}${SECRETS}`,
      'gw.toml:2: listen.tcp[0]: "192.0.2.1:70000" has a port out of range; use 1 to 65535',
    ],
    ['a port out of range', `[listen]\nudp = [500,\n  70000]\n${PEOPLE}${SECRETS}`, 'gw.toml:3: listen.udp[1]: '],
    [
      'framing for UDP',
      `[listen]\nudp = [{ port = 500, framing = "rfc9329" }]\n${PEOPLE}${SECRETS}`,
      'gw.toml:2: listen.udp[0]: takes no framing',
    ],
    ['no port at all', `[listen]\nudp = []\ntcp = []\n${PEOPLE}${SECRETS}`, 'gw.toml:1: listen: names no port'],
    ['an empty list of connections', `connection = []\n${SECRETS}`, 'gw.toml:1: connection: must not be empty'],
    ['no secret for anybody', PEOPLE, 'gw.toml:1: connection[0]: has no psk and there is no [[secret]]'],
    ['no secret for "any"', `${PEOPLE}remote_id = "any"`, 'gw.toml:1: connection[0]: has no psk and there is no [[secret]]'],
    [
      'no secret for one',
      `${PEOPLE}remote_id = ["alice@example.com", "carol@example.com"]\n${SECRETS}`,
      'gw.toml:5: connection[0].remote_id: has no secret for carol@example.com',
    ],
    [
      'two secrets for one',
      `${PEOPLE}${SECRETS}[[secret]]\nid = "bob@example.com"\npsk = "0123456789abcdef"\n`,
      'gw.toml:12: secret[2].id: bob@example.com has a secret already',
    ],
    [
      'two connections of one name',
      `${PEOPLE}psk = "0123456789abcdef"\n${PEOPLE.replace('@gw', '@gw2')}psk = "0123456789abcdef"\n`,
      'gw.toml:7: connection[1].name: "people" is the name of another connection',
    ],
    [
      'two connections for one pair',
      `${PEOPLE}psk = "0123456789abcdef"\n${PEOPLE.replace('people', 'more')}psk = "0123456789abcdef"\n`,
      '"people" and "more" are both @gw for any identity',
    ],
    [
      'a pool beside a remote subnet',
      `${PEOPLE}remote = ["10.3.0.0/24"]\n${SECRETS}`,
      'gw.toml:5: connection[0].remote: cannot stand beside a pool',
    ],
    [
      'neither pool nor remote',
      `[[connection]]\nname = "x"\nlocal_id = "@gw"\nlocal = ["10.0.0.0/8"]\n${SECRETS}`,
      'gw.toml:1: connection[0].remote: is required without a pool',
    ],
    [
      'cookies that come too late (RFC 7296 §2.6)',
      `${PEOPLE}${SECRETS}[limits]\nmax_half_open = 300\ncookie_threshold = 300\n`,
      'gw.toml:13: limits.cookie_threshold: is 300, which is not below limits.max_half_open, 300',
    ],
    [
      'fewer half-open IKE SAs than the threshold that is not written',
      `${PEOPLE}${SECRETS}[limits]\nmax_half_open = 50\n`,
      'gw.toml:11: limits.cookie_threshold: is 100, which is not below limits.max_half_open, 50',
    ],
    [
      'a range of a pool that is none',
      `${PEOPLE.replace('10.99.0.2-10.99.0.9', '10.99.0.2-')}${SECRETS}`,
      'gw.toml:4: connection[0].pool.ranges[0]: "10.99.0.2-" is not a subnet',
    ],
    [
      'a subnet of a pool that is no single prefix',
      `${PEOPLE.replace('dns = ["10.2.0.53"]', 'subnets = ["10.2.0.1-10.2.0.9"]')}${SECRETS}`,
      'gw.toml:4: connection[0].pool.subnets[0]: "10.2.0.1-10.2.0.9" is not one prefix, such as "10.2.0.0/24"',
    ],
    [
      'an unknown key of a pool',
      `${PEOPLE.replace('dns', 'dsn')}${SECRETS}`,
      'gw.toml:4: connection[0].pool.dsn: is not a key here; did you mean "dns"?',
    ],
    [
      'an unknown key of a connection',
      `${PEOPLE}rmeote_id = "x"\n${SECRETS}`,
      'gw.toml:5: connection[0].rmeote_id: is not a key here; did you mean "remote_id"?',
    ],
  ]
  it.each([
    ['tcp = [4500, 4500]', 'tcp[1]: port 4500 is the same as port 4500 of listen.tcp[0]: leave one of them out'],
    ['udp = [500, "500"]', 'udp[1]: port 500 is the same as port 500 of listen.udp[0]: leave one of them out'],
    ['tcp = ["192.0.2.1:4500", 4500]', 'tcp[1]: port 4500 contains 192.0.2.1:4500 of listen.tcp[0]: leave one of them out'],
    ['tcp = ["[::]:4500", "192.0.2.1:4500"]', 'tcp[1]: 192.0.2.1:4500 is within [::]:4500 of listen.tcp[0]: leave one of them out'],
    ['udp = [500, "0.0.0.0:500"]', 'udp[1]: 0.0.0.0:500 is within port 500 of listen.udp[0]: leave one of them out'],
    [
      'udp = ["[2001:db8::1]:500", "[2001:db8:0::1]:500"]',
      'udp[1]: [2001:db8::1]:500 is the same as [2001:db8::1]:500 of listen.udp[0]: leave one of them out',
    ],
    [
      'tcp = [4500, { port = 4500, framing = "pauly-03" }]',
      'tcp[1]: port 4500 is the same as port 4500 of listen.tcp[0]: each framing needs a port of its own',
    ],
    [
      'tcp = [4500, { address = "0.0.0.0", port = 4500, framing = "pauly-03" }]',
      'tcp[1]: 0.0.0.0:4500 is within port 4500 of listen.tcp[0]: each framing needs a port of its own',
    ],
    ['address = ["192.0.2.1", "0.0.0.0"]', 'address[1]: 0.0.0.0:500 contains 192.0.2.1:500 of listen.address[0]: leave one of them out'],
  ])('%s: the second would find the port taken', (listen, message) => {
    expect(complaint(`[listen]\n${listen}\n${PEOPLE}${SECRETS}`)).toBe(`gw.toml:2: listen.${message}`)
  })

  it.each([
    'tcp = [0, 0]',
    'tcp = ["0.0.0.0:4500", 4500]',
    'tcp = ["[::]:4500", "0.0.0.0:4500"]',
    'tcp = ["0.0.0.0:4500", "[2001:db8::1]:4500", "192.0.2.1:4501"]',
    'udp = ["[::]:500", "0.0.0.0:500", 4500]',
    'address = ["0.0.0.0", "::"]',
  ])('%s stand side by side', (listen) => {
    expect(load(`[listen]\n${listen}\n${PEOPLE}${SECRETS}`).warnings).toEqual([])
  })

  it('[[connections]] is one line, and what a connection requires is not listed', () => {
    expect(complaint(`${PEOPLE.replace('[[connection]]', '[[connections]]')}${SECRETS}`)).toBe(
      'gw.toml:1: connections: is not a key here; did you mean "connection"?',
    )
  })

  it('an mtu that does not fit into UDP is a warning where there is a UDP listener', () => {
    const tun = '[tun]\nmtu = 9000\n'
    expect(load(`${PEOPLE}${SECRETS}${tun}`).warnings).toEqual([
      expect.stringMatching(
        /gw\.toml:12: tun\.mtu: packets of up to 9000 octets do not fit into UDP .+; set at most 1438, or leave UDP out, as with listen\.udp = \[\]$/,
      ),
    ])
    expect(load(`listen.udp = []\n${PEOPLE}${SECRETS}${tun}`).warnings).toEqual([])
  })

  it('every required key that is missing, at once and on the line of its table', () => {
    expect(complaint('').split('\n')).toEqual([
      'gw.toml:1: connection[0].name: is required',
      'gw.toml:1: connection[0].local_id: is required',
      'gw.toml:1: connection[0].local: is required without a pool',
      'gw.toml:1: connection[0].remote: is required without a pool',
      'gw.toml:1: connection[0]: has no psk and there is no [[secret]]',
    ])
    expect(complaint(`${PEOPLE}[[connection]]\npool = {}\n[[secret]]\nid = "@a"\n[[secret]]\n`).split('\n')).toEqual([
      'gw.toml:5: connection[1].name: is required',
      'gw.toml:5: connection[1].local_id: is required',
      'gw.toml:6: connection[1].pool.ranges: is required',
      'gw.toml:7: secret[0].psk: is required (or psk_file)',
      'gw.toml:9: secret[1].id: is required',
      'gw.toml:9: secret[1].psk: is required (or psk_file)',
    ])
  })

  it('two pools that overlap', () => {
    const other = PEOPLE.replace('people', 'more').replace('@gw', '@gw2').replace('10.99.0.2-10.99.0.9', '10.99.0.8/30')
    expect(complaint(PEOPLE + other + SECRETS)).toBe(
      'gw.toml:8: connection[1].pool.ranges[0]: "10.99.0.8/30" overlaps "10.99.0.2-10.99.0.9" of "people"',
    )
  })

  it.each([
    ['10.99.0.0/24', 'address = ["10.99.0.1/24"]', '10.99.0.1'],
    ['10.99.0.1-10.99.0.9', 'address = ["10.98.0.1/24", "10.99.0.1/24"]', '10.99.0.1'],
    ['fd00:99::/64', 'address = ["fd00:99:0:0::1/64"]', 'fd00:99::1'],
  ])('a pool %s with the address that the gateway has itself', (range, tun, own) => {
    expect(complaint(`${PEOPLE.replace('10.99.0.2-10.99.0.9', range)}${SECRETS}[tun]\n${tun}\n`)).toBe(
      `gw.toml:4: connection[0].pool.ranges[0]: pool range "${range}" contains the gateway's own tunnel address ${own}`,
    )
  })

  it.each([
    [
      'a client’s file',
      '[peer]\ngateway = "x"\n',
      "gw.toml:1: peer: this is a client's file, for underpass; a gateway's has a [[connection]]",
    ],
    [
      '[[connection]] forgotten',
      `${PEOPLE.replace('[[connection]]\n', '')}${SECRETS}`,
      'gw.toml:1: name: belongs below [[connection]]; that line is missing above it',
    ],
    [
      '[connection]',
      `${PEOPLE.replace('[[connection]]', '[connection]')}${SECRETS}`,
      'gw.toml:1: connection: is not a list of tables; write [[connection]]',
    ],
    ['connection as text', `connection = "hush"\n${SECRETS}`, 'gw.toml:1: connection: is not a list of tables; write [[connection]]'],
    [
      '[secret]',
      `${PEOPLE}[secret]\nid = "a@b"\npsk = "0123456789abcdef"\n`,
      'gw.toml:5: secret: is not a list of tables; write [[secret]]',
    ],
    [
      'one secret twice',
      `${PEOPLE}${SECRETS}${SECRETS.split('[[')[0]}[[secret]]\nid = "bob@example.com"\npsk = "0123456789abcdef"\n`,
      'gw.toml:12: secret[2].id: bob@example.com has a secret already',
    ],
    [
      'a range that runs backwards',
      `${PEOPLE.replace('10.99.0.2-10.99.0.9', '10.99.0.9-10.99.0.2')}${SECRETS}`,
      'gw.toml:4: connection[0].pool.ranges[0]: "10.99.0.9-10.99.0.2" has its first address above its last',
    ],
  ])('%s is one line', (_, text, message) => {
    expect(complaint(text)).toBe(message)
  })

  it('host bits of a subnet are a warning that says what is taken, and it is', () => {
    const { warnings, peers } = load(`${PEOPLE}local = ["10.2.0.5/24", "10.3.0.0/24", "10.4.0.1-10.4.0.2"]\n${SECRETS}`)
    expect(peers[0]!.localSubnets).toEqual(['10.2.0.0/24', '10.3.0.0/24', '10.4.0.1-10.4.0.2'])
    expect(warnings).toEqual([
      expect.stringMatching(
        /gw\.toml:5: connection\[0\]\.local\[0\]: "10\.2\.0\.5\/24" has bits beyond its prefix; 10\.2\.0\.0\/24 is taken$/,
      ),
    ])
  })

  it('so are those of what a pool announces', () => {
    const { warnings, peers } = load(`${PEOPLE.replace('dns = ["10.2.0.53"]', 'subnets = ["10.2.0.5/24"]')}${SECRETS}`)
    expect(warnings).toEqual([expect.stringMatching(/connection\[0\]\.pool\.subnets\[0\]: .* 10\.2\.0\.0\/24 is taken$/)])
    expect(peers[0]!.pool!.subnets).toEqual(['10.2.0.0/24'])
  })

  it('a CPU twice, more or fewer CPUs than workers, and what is no number of a CPU', () => {
    expect(complaint(`cpus = [0, 0]\nworkers = 2\n${PEOPLE}${SECRETS}`)).toBe('gw.toml:1: cpus: names a CPU twice: 0, 0')
    expect(complaint(`cpus = [0]\nworkers = 2\n${PEOPLE}${SECRETS}`)).toBe('gw.toml:1: cpus: names 1 CPUs for 2 workers; name one for each')
    expect(complaint(`cpus = [0, 1]\n${PEOPLE}${SECRETS}`)).toBe(
      'gw.toml:1: cpus: names 2 CPUs, and there is one thread to keep on them; name one',
    )
    expect(complaint(`cpus = [-1]\n${PEOPLE}${SECRETS}`)).toContain('gw.toml:1: cpus[0]: ')
    expect(load(`cpus = [3, 1]\nworkers = 2\n${PEOPLE}${SECRETS}`).cpus).toEqual([3, 1])
    expect(load(PEOPLE + SECRETS).cpus).toEqual([])
  })

  it('a pool that is too small for the workers, a device that has one queue, and too many workers', () => {
    const connection = PEOPLE.replace('10.99.0.2-10.99.0.9', '10.99.0.2-10.99.0.4')
    expect(complaint(`workers = 4\n${connection}${SECRETS}`)).toBe(
      'gw.toml:5: connection[0].pool.ranges[0]: "10.99.0.2-10.99.0.4" has no address for each of 4 workers, which lease from slices of their own',
    )
    expect(complaint(`workers = 2\ntun = "memory"\n${PEOPLE}${SECRETS}`)).toBe(
      'gw.toml:1: workers: 2 workers need the device "tun", which has a queue for each; "memory" has one',
    )
    expect(complaint(`workers = 65\n${PEOPLE}${SECRETS}`)).toContain(':1: workers: ')
    expect([load(`workers = 3\n${connection}${SECRETS}`).workers, load(PEOPLE + SECRETS).workers]).toEqual([3, 1])
  })

  it('a pool beside that address is right', () => {
    expect(load(`${PEOPLE}${SECRETS}[tun]\naddress = ["10.99.0.1/24"]\n`).tun.addresses).toEqual(['10.99.0.1/24'])
  })

  it.each(rows)('%s is told with its key and line', (_, text, message) => {
    expect(complaint(text)).toContain(message)
  })
})

describe('a hostile or mistaken file', () => {
  it.each([
    ['lists', `a = ${'['.repeat(50_000)}${']'.repeat(50_000)}\n`],
    ['inline tables', `a = ${'{a='.repeat(20_000)}1${'}'.repeat(20_000)}\n`],
  ])('%s nested deep are an error like any other', (_, text) => {
    expect(() => load(text)).toThrow(HostError)
  })

  it('a secret in the wrong place is not shown', () => {
    expect(() => load(`${PEOPLE}\n`.replace('[[connection]]', 'secret = "hush-hush-hush-hush"\n[[connection]]'))).toThrow(
      /secret: is not a list of tables; write \[\[secret\]\]$/,
    )
  })

  it.each([
    ['listen', 'a table'],
    ['limits', 'a table'],
    ['timers', 'a table'],
    ['network', 'a table'],
    ['provider', 'a table'],
  ])('a secret in the place of [%s] is not shown', (key, kind) => {
    const text = `${key} = "hush-hush-hush-hush"\n${PEOPLE}${SECRETS}`
    expect(complaint(text)).toBe(`gw.toml:1: ${key}: text is not ${kind}`)
  })

  it('nor is one in the place of a number, a list or a file', () => {
    for (const line of ['esn = "hush"', 'replay_window = "hush"', 'ike = "hush"', 'pool = "hush"', 'psk_file = 4711', 'psk = 4711'])
      expect(complaint(`[[connection]]\nname = "people"\nlocal_id = "@gw"\n${line}\n${SECRETS}`)).not.toMatch(/hush|4711/)
  })

  it('spaces around a subnet do not reach the core, which takes none', () => {
    const { peers } = load(`${PEOPLE}local = [" 10.2.0.0/24 "]\n${SECRETS}`)
    expect(peers[0]!.localSubnets).toEqual(['10.2.0.0/24'])
  })

  it('control characters of a key do not reach the terminal', () => {
    expect(() => load(`${PEOPLE}"\\u001b[2J" = 1\n${SECRETS}`)).toThrow(/connection\[0\]\."\\u001b\[2J": is not a key here/)
  })
})

function load(text: string): GatewayConfig {
  return loadGatewayConfig(temporaryFile('gw.toml', text))
}

function complaint(text: string): string {
  const file = temporaryFile('gw.toml', text)
  try {
    loadGatewayConfig(file)
  } catch (error) {
    if (error instanceof HostError) return error.message.replaceAll(`${dirname(file)}/`, '')
    throw error
  }
  throw new Error('there was nothing to complain about')
}
