import type { SessionEvent } from '@underpass/session-manager'
import { describe, expect, it } from 'vitest'
import { describeEvent, levelOf, Reporter } from '../../src/index.ts'

const TCP = {
  transport: 'tcp',
  local: { address: '198.51.100.7', port: 40_000 },
  remote: { address: '2001:db8::9', port: 4500 },
  framing: 'rfc9329',
} as const
const UDP = { transport: 'udp', local: { address: '198.51.100.7', port: 4500 }, remote: { address: '192.0.2.9', port: 4500 } } as const
const REMOTE = { address: '203.0.113.4', port: 50_000 }

const OF = { ikeSa: '1', peer: 'gw' } as const
const AUTHENTICATION_FAILED = { kind: 'authentication-failed', ikeSa: '1', localId: '@me', remoteId: '@gw' } as const

const ROWS: readonly (readonly [SessionEvent, string, string])[] = [
  [
    { kind: 'transport-tried', peer: 'gw', transport: 'udp:500', reason: 'first of the list' },
    'info',
    'gw: trying udp:500: first of the list',
  ],
  [
    { kind: 'transport-failed', peer: 'gw', transport: 'udp:500', reason: 'no answer', afterMilliseconds: 1600 },
    'warn',
    'gw: udp:500 failed after 1.6 s: no answer',
  ],
  [
    {
      kind: 'transport-failed',
      peer: 'gw',
      transport: 'udp:500',
      reason: 'no answer to IKE_SA_INIT, and a datagram did not get there: 192.0.2.9:500: ECONNREFUSED, Connection refused',
      afterMilliseconds: 500,
    },
    'warn',
    'gw: udp:500 failed after 500 ms: no answer to IKE_SA_INIT, and a datagram did not get there: nothing listens there (ECONNREFUSED)',
  ],
  [
    {
      kind: 'transport-tried',
      peer: 'gw',
      transport: 'tcp:443',
      reason: 'tcp:4500 failed: cannot connect to TCP 192.0.2.9:4500: ECONNREFUSED',
    },
    'info',
    'gw: trying tcp:443: tcp:4500 failed: cannot connect to TCP 192.0.2.9:4500: nothing listens there (ECONNREFUSED)',
  ],
  [
    {
      kind: 'transport-failed',
      peer: 'gw',
      transport: 'tcp:4500',
      reason: 'cannot connect to TCP 192.0.2.9:4500: connect EHOSTUNREACH 192.0.2.9:4500',
      afterMilliseconds: 3100,
    },
    'warn',
    'gw: tcp:4500 failed after 3.1 s: cannot connect to TCP 192.0.2.9:4500: nobody has that address, or a firewall refuses it (EHOSTUNREACH)',
  ],
  [
    {
      kind: 'transport-failed',
      peer: 'gw',
      transport: 'udp:500',
      reason: 'no answer to IKE_SA_INIT, and a datagram did not get there: 192.0.2.9:500: ENETUNREACH, Network is unreachable',
      afterMilliseconds: 500,
    },
    'warn',
    'gw: udp:500 failed after 500 ms: no answer to IKE_SA_INIT, and a datagram did not get there: no route leads there (ENETUNREACH)',
  ],
  [
    {
      kind: 'transport-failed',
      peer: 'gw',
      transport: 'udp:500',
      reason: 'no better answer than NO_PROPOSAL_CHOSEN',
      afterMilliseconds: 500,
    },
    'warn',
    'gw: udp:500 failed after 500 ms: no common algorithms (see ike), says an answer that nothing protects',
  ],
  [{ kind: 'retry-scheduled', peer: 'gw', round: 2, inMilliseconds: 2000 }, 'info', 'gw: the whole list again in 2 s (round 2)'],
  [{ kind: 'transport-chosen', peer: 'gw', transport: 'tcp:4500', reason: 'UDP is blocked' }, 'info', 'gw: using tcp:4500: UDP is blocked'],
  [
    { kind: 'ike-sa-established', ...OF, role: 'initiator', localId: '@me', remoteId: '@gw', proposal: 'aes', path: TCP },
    'info',
    'gw: IKE SA 1 established over tcp [2001:db8::9]:4500; we are @me, they are @gw (aes, initiator)',
  ],
  [
    {
      kind: 'ike-sa-established',
      ...OF,
      role: 'responder',
      localId: '@gw',
      remoteId: '@phone',
      eapIdentity: 'anna',
      proposal: 'aes',
      path: TCP,
    },
    'info',
    'gw: IKE SA 1 established over tcp [2001:db8::9]:4500; we are @gw, they are @phone, by EAP "anna" (aes, responder)',
  ],
  [
    {
      kind: 'addresses-assigned',
      ...OF,
      addresses: [
        { address: '10.99.0.2', prefixLength: 32 },
        { address: 'fd00::2', prefixLength: 64 },
      ],
      dns: ['10.2.0.53'],
      subnets: ['10.2.0.0/24'],
      domains: ['corp.example.com'],
      pCscf: ['10.2.0.60'],
    },
    'info',
    'gw: assigned 10.99.0.2, fd00::2/64; name servers 10.2.0.53; for names in corp.example.com; subnets 10.2.0.0/24; P-CSCF 10.2.0.60',
  ],
  [
    {
      kind: 'child-sa-installed',
      ...OF,
      inboundSpi: 'c1',
      outboundSpi: 'c2',
      proposal: 'aes',
      localTs: ['10.99.0.2/32'],
      remoteTs: ['10.2.0.0/24', '10.3.0.0/24'],
    },
    'info',
    'gw: Child SA c1/c2 installed: 10.99.0.2/32 <-> 10.2.0.0/24, 10.3.0.0/24 (aes)',
  ],
  [{ kind: 'child-sa-removed', ...OF, inboundSpi: 'c1', reason: 'rekeyed' }, 'info', 'gw: Child SA c1 removed: rekeyed'],
  [{ kind: 'ike-sa-rekeyed', ...OF, formerIkeSa: '0', by: 'us' }, 'info', 'gw: IKE SA 0 rekeyed by us: now 1'],
  [
    { kind: 'child-sa-rekeyed', ...OF, by: 'peer', formerInboundSpi: '0x1', inboundSpi: '0x2' },
    'info',
    'gw: Child SA 0x1 rekeyed by the other end: now 0x2',
  ],
  [
    { kind: 'rekey-failed', ...OF, what: 'child-sa', detail: 'the peer refused' },
    'warn',
    'gw: a Child SA of IKE SA 1 not rekeyed: the peer refused',
  ],
  [{ kind: 'ike-sa-closed', ...OF, reason: 'Delete', byPeer: true }, 'info', 'gw: IKE SA 1 closed by the other end: Delete'],
  [{ kind: 'ike-sa-closed', ...OF, reason: 'Delete', byPeer: false }, 'info', 'gw: IKE SA 1 closed by us: Delete'],
  [
    {
      kind: 'ike-sa-closed',
      ...OF,
      reason: '@me came anew from 203.0.113.4:50000 (INITIAL_CONTACT)',
      byPeer: true,
      cameAnew: { from: REMOTE, before: { address: '198.51.100.9', port: 4500 } },
    },
    'warn',
    'gw: @me came anew from 203.0.113.4:50000 (INITIAL_CONTACT); its IKE SA 1 from 198.51.100.9:4500 ends; if these are two machines, each needs an identity of its own',
  ],
  [
    {
      kind: 'ike-sa-closed',
      ...OF,
      reason: '@me came anew from 203.0.113.4:50000 (INITIAL_CONTACT)',
      byPeer: true,
      cameAnew: { from: REMOTE, before: { ...REMOTE, port: 4500 } },
    },
    'info',
    'gw: @me came anew from 203.0.113.4:50000 (INITIAL_CONTACT); its IKE SA 1 from 203.0.113.4:4500 ends',
  ],
  [
    { ...AUTHENTICATION_FAILED, remote: REMOTE, detail: 'AUTH does not verify' },
    'error',
    'authentication failed with 203.0.113.4:50000: we are @me, they are @gw: AUTH does not verify',
  ],
  [
    { kind: 'handshake-failed', ikeSa: '1', peer: '', detail: 'no common algorithms', notify: 'NO_PROPOSAL_CHOSEN', remote: REMOTE },
    'warn',
    'handshake with 203.0.113.4:50000 failed: no common algorithms (NO_PROPOSAL_CHOSEN)',
  ],
  [
    { ...AUTHENTICATION_FAILED, detail: 'AUTH does not verify' },
    'error',
    'authentication failed: we are @me, they are @gw: AUTH does not verify',
  ],
  [
    { ...AUTHENTICATION_FAILED, detail: '@gw refused @me: not the key it expects' },
    'error',
    'authentication failed: @gw refused @me: not the key it expects',
  ],
  [{ ...AUTHENTICATION_FAILED, detail: '@gw has no such key' }, 'error', 'authentication failed: we are @me: @gw has no such key'],
  [
    { ...AUTHENTICATION_FAILED, localId: '', remoteId: '', detail: 'AUTH does not verify' },
    'error',
    'authentication failed: AUTH does not verify',
  ],
  [
    { kind: 'handshake-failed', ...OF, detail: 'no proposal fits', notify: 'NO_PROPOSAL_CHOSEN' },
    'error',
    'gw: handshake failed: no proposal fits (NO_PROPOSAL_CHOSEN)',
  ],
  [
    { kind: 'handshake-failed', ...OF, detail: '@gw refused IKE_AUTH: TS_UNACCEPTABLE', notify: 'TS_UNACCEPTABLE' },
    'error',
    'gw: handshake failed: @gw refused IKE_AUTH: TS_UNACCEPTABLE',
  ],
  [
    { kind: 'connection-opened', connection: 2, local: REMOTE, remote: REMOTE, role: 'originator' },
    'info',
    'TCP connection 2 to 203.0.113.4:50000 open',
  ],
  [
    { kind: 'connection-opened', connection: 1, local: REMOTE, remote: REMOTE, role: 'responder' },
    'info',
    'TCP connection 1 accepted from 203.0.113.4:50000',
  ],
  [
    { kind: 'connection-opened', connection: 1, local: REMOTE, remote: REMOTE, role: 'responder', carrier: 'tls:443' },
    'info',
    'TLS connection 1 accepted from 203.0.113.4:50000',
  ],
  [
    { kind: 'connection-closed', connection: 1, remote: REMOTE, role: 'responder', carrier: 'tls:443', reason: 'reset' },
    'info',
    'TLS connection 1 with 203.0.113.4:50000 closed: reset',
  ],
  [
    { kind: 'connection-closed', connection: 1, remote: REMOTE, role: 'originator', reason: 'reset' },
    'info',
    'TCP connection 1 with 203.0.113.4:50000 closed: reset',
  ],
  [
    { kind: 'reconnecting', peer: 'gw', ikeSa: '1', inMilliseconds: 250, reason: 'connection reset' },
    'warn',
    'gw: connecting again in 250 ms: connection reset',
  ],
  [
    { kind: 'path-moved', ...OF, from: UDP, to: { ...TCP, framing: 'pauly-03' } },
    'info',
    'gw: moved from udp 192.0.2.9:4500 to tcp [2001:db8::9]:4500 (pauly-03 framing), from our 198.51.100.7',
  ],
  [
    {
      kind: 'path-moved',
      ...OF,
      from: UDP,
      to: {
        ...TCP,
        local: { address: '10.0.0.5', port: 40_000 },
        remote: { address: '10.0.0.9', port: 3128 },
        carrier: 'tls:443 via http://proxy:3128 (env)',
      },
    },
    'info',
    'gw: moved from udp 192.0.2.9:4500 to tls 10.0.0.9:3128 via http://proxy:3128 (env), from our 10.0.0.5, before 198.51.100.7',
  ],
  [
    { kind: 'path-moved', ...OF, from: { ...TCP, carrier: 'tls:443' }, to: { ...UDP, local: { address: '0.0.0.0', port: 0 } } },
    'info',
    'gw: moved from tls [2001:db8::9]:4500 to udp 192.0.2.9:4500',
  ],
  [{ kind: 'liveness', ...OF, result: 'alive' }, 'debug', 'gw: the other end is alive'],
  [{ kind: 'liveness', ...OF, result: 'dead' }, 'warn', 'gw: the other end does not answer any more'],
  [
    { kind: 'limit-reached', limit: 'maxHalfOpenPerAddress', remote: REMOTE },
    'warn',
    'limit reached: limits.max_half_open_per_address (by 203.0.113.4:50000)',
  ],
  [{ kind: 'limit-reached', limit: 'prefix', remote: REMOTE }, 'warn', 'limit reached: timers.prefix (by 203.0.113.4:50000)'],
  [{ kind: 'dropped', what: 'ESP', remote: undefined, detail: 'unknown SPI' }, 'debug', 'dropped ESP: unknown SPI'],
]

describe('events in words', () => {
  it.each(ROWS)('%j', (event, level, words) => {
    expect(describeEvent(event)).toBe(words)
    expect(levelOf(event)).toBe(level)
  })
})

describe('the reporter', () => {
  it('prints a timeline down to its level, without colours off a terminal', () => {
    const { reporter, out } = reporting({})
    for (const [event] of ROWS) reporter.event(event)
    const lines = out().trimEnd().split('\n')
    expect(lines).toHaveLength(ROWS.filter(([, level]) => level !== 'debug').length)
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.500 gw: trying udp:500: first of the list$/)
  })

  it('colours a terminal', () => {
    const { reporter, out } = reporting({ colour: true })
    reporter.event({ ...AUTHENTICATION_FAILED, detail: 'AUTH does not verify' })
    expect(out()).toContain('\u001b[')
  })

  it('JSON: one event a line with its time, and never a colour', () => {
    const { reporter, out } = reporting({ json: true, colour: true, level: 'debug' })
    for (const [event] of ROWS) reporter.event(event)
    reporter.summary({ exitCode: 0 })
    const lines = out()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toHaveLength(ROWS.length + 1)
    expect(lines[0]).toEqual({ at: '2026-01-01T00:00:00.500Z', ...ROWS[0]![0] })
    expect(lines.at(-1)).toMatchObject({ kind: 'summary', exitCode: 0 })
  })

  it('JSON: times are whole milliseconds, in status too', () => {
    const { reporter, out } = reporting({ json: true })
    reporter.event({ kind: 'transport-failed', peer: 'gw', transport: 'udp:500', reason: 'no answer', afterMilliseconds: 1600.3339 })
    reporter.event({ kind: 'reconnecting', peer: 'gw', ikeSa: '1', inMilliseconds: 249.7, reason: 'reset' })
    const lines = out().trimEnd().split('\n')
    expect(JSON.parse(lines[0]!)).toMatchObject({ afterMilliseconds: 1600 })
    expect(JSON.parse(lines[1]!)).toMatchObject({ inMilliseconds: 250 })
    expect(reporter.recent.map(({ event }) => event)).toMatchObject([{ afterMilliseconds: 1600 }, { inMilliseconds: 250 }])
  })

  it('refused handshakes, of which anybody can make thousands, ten a second', () => {
    const { reporter, out } = reporting({})
    for (let i = 0; i < 100; i++) reporter.event({ ...AUTHENTICATION_FAILED, remote: REMOTE, detail: 'AUTH does not verify' })
    expect(out().trimEnd().split('\n')).toHaveLength(10)
    expect(reporter.recent).toHaveLength(10)
  })

  it('at level error: errors and nothing else, not even the headline', () => {
    const { reporter, out } = reporting({ level: 'error' })
    for (const [event] of ROWS) reporter.event(event)
    reporter.headline('tunnel up', 'tunnel-up', {})
    reporter.notice('down')
    expect(out().trimEnd().split('\n')).toHaveLength(ROWS.filter(([, level]) => level === 'error').length)
  })

  it('keeps the latest events for status, and no drops among them', () => {
    const { reporter } = reporting({})
    for (let i = 0; i < 200; i++) {
      reporter.event({ kind: 'dropped', what: 'ESP', remote: undefined, detail: 'replay' })
      reporter.event({ kind: 'child-sa-removed', ...OF, inboundSpi: String(i), reason: 'rekeyed' })
    }
    expect(reporter.recent).toHaveLength(100)
    expect(reporter.recent.at(-1)!.event).toMatchObject({ inboundSpi: '199' })
  })
})

function reporting(options: { readonly json?: boolean; readonly colour?: boolean; readonly level?: 'error' | 'info' | 'debug' }): {
  reporter: Reporter
  out: () => string
} {
  let out = ''
  const write = (text: string): void => {
    out += text
  }
  const now = (): Date => new Date('2026-01-01T00:00:00.500Z')
  const reporter = new Reporter({
    out: { write },
    err: { write },
    json: options.json ?? false,
    colour: options.colour ?? false,
    level: options.level ?? 'info',
    now,
  })
  return { reporter, out: () => out }
}
