import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { clientUp, HostError, loadClientConfig, Reporter, requestDown, requestStatus } from '../../src/index.ts'
import { comesUp, type FakeSession, type FakeWorld, fakeWorld, WRONG_KEY } from '../fake-session.ts'
import { temporaryDirectory, temporaryFile } from '../temporary.ts'

describe('underpass up', () => {
  it('says "tunnel up" with address, device, transport and why; Ctrl-C undoes everything and exits 0', async () => {
    const { world, exit, control } = up((session) => session.emit(...comesUp()))
    await world.io.said('tunnel up')
    expect(world.io.told.out).toMatch(
      /tunnel up: 10\.99\.0\.2 on underpass0, over tcp 192\.0\.2\.9:4500 \(UDP had no answer in 1\.6 s\), to 10\.2\.0\.0\/24\n/,
    )
    expect(world.ip.commands).toContain('ip -4 route add 10.2.0.0/24 dev underpass0 proto 157')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
    expect(world.session.isClosed).toBe(true)
    expect(world.ip.commands.slice(-3)).toEqual([
      'ip -4 route del 10.2.0.0/24 dev underpass0 proto 157',
      'ip -4 address del 10.99.0.2/32 dev underpass0',
      'ip link set dev underpass0 down',
    ])
    expect(existsSync(control)).toBe(false)
    expect(existsSync(`${control}.journal`)).toBe(false)
    expect(world.io.told.err).toBe('')
  })

  it('the routes are there before it says so', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()), { ipTakes: 5 })
    await world.io.said('tunnel up')
    expect(world.ip.commands.at(-1)).toBe('ip -4 route add 10.2.0.0/24 dev underpass0 proto 157')
    world.io.signal('SIGTERM')
    expect(await exit).toBe(0)
  })

  it('status and down over the control socket', async () => {
    const { world, exit, control } = up((session) => session.emit(...comesUp()))
    await world.io.said('tunnel up')
    const status = await requestStatus(control)
    expect(status).toMatchObject({ program: 'underpass', host: { device: { name: 'underpass0' } }, session: { peers: [{ name: 'gw' }] } })
    expect(status.host.changes).toContain('route 10.2.0.0/24 through underpass0')
    expect(status.events.map(({ event }) => event.kind)).toContain('transport-chosen')
    expect(await requestDown(control)).toEqual([])
    expect(await exit).toBe(0)
  })

  it('a wrong key is one line that names the identities and no secret; exit code 3', async () => {
    const { world, exit } = up((session) => {
      session.state = 'waiting'
      session.emit(WRONG_KEY)
    })
    expect(await exit).toBe(3)
    const told = world.io.told.out.split('\n').filter((line) => line.includes('authentication failed'))
    expect(told).toEqual([
      expect.stringMatching(/authentication failed: we are alice@example\.com, they are @gw: the other end refused our AUTH$/),
    ])
    expect(world.io.told.err).toBe('authentication failed: check local_id and psk in client.toml\n')
    expect(world.io.told.out).not.toContain('down')
    expect(world.io.told.out + world.io.told.err).not.toContain('correct horse')
  })

  it('another gateway than the one that is named: says which keys to look at', async () => {
    const { world, exit } = up((session) => session.emit({ ...WRONG_KEY, remoteId: '@other' } as typeof WRONG_KEY))
    expect(await exit).toBe(3)
    expect(world.io.told.err).toBe('authentication failed: check remote_id and gateway in client.toml\n')
  })

  it.each([
    ['TS_UNACCEPTABLE', 'the gateway does not serve 0.0.0.0/0 (see remote in client.toml): TS_UNACCEPTABLE'],
    ['INTERNAL_ADDRESS_FAILURE', 'the gateway has no address left: INTERNAL_ADDRESS_FAILURE'],
    [
      'FAILED_CP_REQUIRED',
      'the gateway hands out addresses, and none was asked for (see request_addresses in client.toml): FAILED_CP_REQUIRED',
    ],
    ['NO_PROPOSAL_CHOSEN', 'no common algorithms (see esp in client.toml): NO_PROPOSAL_CHOSEN'],
    ['SINGLE_PAIR_REQUIRED', 'the gateway refused the Child SA: SINGLE_PAIR_REQUIRED'],
  ])('RFC 7296 §2.21: %s in the words of the configuration', async (notify, words) => {
    const { world, exit } = up((session) => {
      session.state = 'waiting'
      session.emit({ kind: 'handshake-failed', ikeSa: '1', peer: 'gw', detail: `the gateway refused the Child SA: ${notify}`, notify })
    })
    expect(await exit).toBe(1)
    expect(world.io.told.err).toBe(`${words}\n`)
  })

  it('a retry that will not come is not promised; with --keep-retrying it is', async () => {
    const fails = (session: FakeSession): void => {
      session.emit({ kind: 'retry-scheduled', peer: 'gw', round: 1, inMilliseconds: 990 })
      nothingWorks(session)
    }
    const once = up(fails)
    expect(await once.exit).toBe(4)
    expect(once.world.io.told.out).not.toMatch(/again|down/)
    const again = up(fails, { keepRetrying: true })
    await again.world.io.said('the whole list again in 990 ms')
    again.world.io.signal('SIGINT')
    expect(await again.exit).toBe(130)
  })

  it('Ctrl-C once the tunnel was up exits 0, also while it is lost', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()))
    await world.io.said('tunnel up')
    world.session.state = 'waiting'
    world.session.emit({ kind: 'child-sa-removed', ikeSa: '1', peer: 'gw', inboundSpi: 'c1', reason: 'no answer' })
    await world.io.said('tunnel down')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
  })

  it('RFC 7296 §2.9: less than was asked for is told before the tunnel is up', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()))
    await world.io.said('tunnel up')
    expect(world.io.told.out).toMatch(
      /asked for 0\.0\.0\.0\/0, the gateway grants 10\.2\.0\.0\/24; the rest stays outside the tunnel\n.*tunnel up/,
    )
    world.io.signal('SIGINT')
    await exit
  })

  it('and nothing where all of it is granted, in whatever pieces', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()), { remote: '["10.2.0.0/25", "10.2.0.200"]' })
    await world.io.said('tunnel up')
    expect(world.io.told.out).not.toContain('asked for')
    world.io.signal('SIGINT')
    await exit
  })

  it('a route that somebody else has made: "tunnel up" says what has none', async () => {
    const { world, exit } = up((session) => {
      world.ip.answer('ip -4 route add 10.2.0.0/24', { exitCode: 2, stderr: 'RTNETLINK answers: File exists' })
      world.ip.answer('ip -4 route show exact 10.2.0.0/24', { stdout: '10.2.0.0/24 via 192.168.1.1 dev eth0 proto static \n' })
      session.emit(...comesUp())
    })
    await world.io.said('tunnel up')
    expect(world.io.told.out).toContain(
      'the route to 10.2.0.0/24 goes elsewhere: 10.2.0.0/24 via 192.168.1.1 dev eth0 proto static; it is left as it is\n',
    )
    expect(world.io.told.out).toContain('to 10.2.0.0/24 (without a route of its own: 10.2.0.0/24)\n')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
    expect(world.ip.commands).not.toContain('ip -4 route del 10.2.0.0/24 dev underpass0 proto 157')
  })

  it('an interface that another program has', async () => {
    const inUse = Object.assign(new Error('EBUSY'), { code: 'NAME_IN_USE' })
    const { world, exit } = up(() => {}, {
      openDevice: () => {
        throw inUse
      },
    })
    expect(await exit).toBe(1)
    expect(world.io.told.err).toBe('another program has the interface underpass0: stop it, or configure another name under [tun]\n')
    expect(world.ip.commands).toEqual([])
  })

  it('a wrong key ends it even with --keep-retrying', async () => {
    const { exit } = up((session) => session.emit(WRONG_KEY), { keepRetrying: true })
    expect(await exit).toBe(3)
  })

  it('no transport gets through: exit code 4, with what each came to', async () => {
    const { world, exit } = up(nothingWorks)
    expect(await exit).toBe(4)
    expect(world.io.told.err).toBe(
      'the gateway cannot be reached: udp:500: no answer; tcp:4500: connection refused; --keep-retrying goes on\n',
    )
  })

  it('one transport that fails while others are tried is not the end', async () => {
    const { world, exit } = up((session) => {
      session.emit(...comesUp().slice(0, 3))
      setTimeout(() => session.emit(...comesUp().slice(3)), 20)
    })
    await world.io.said('tunnel up')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
  })

  it('--keep-retrying goes on, and comes up at last', async () => {
    const { world, exit } = up(
      (session) => {
        nothingWorks(session)
        setTimeout(() => {
          session.state = 'up'
          session.emit(...comesUp())
        }, 20)
      },
      { keepRetrying: true },
    )
    await world.io.said('tunnel up')
    expect(world.io.told.out).toContain('cannot be reached: udp:500: no answer; tcp:4500: connection refused; trying again')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
  })

  it('the gateway answers and refuses: exit code 1', async () => {
    const { world, exit } = up((session) => {
      session.state = 'waiting'
      session.emit({ kind: 'handshake-failed', ikeSa: '1', peer: 'gw', detail: 'no proposal fits', notify: 'NO_PROPOSAL_CHOSEN' })
    })
    expect(await exit).toBe(1)
    expect(world.io.told.err).toBe('no common algorithms (see esp in client.toml): NO_PROPOSAL_CHOSEN\n')
  })

  it('a tunnel that was up is held: loss and return are told', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()))
    await world.io.said('tunnel up')
    world.session.state = 'waiting'
    world.session.emit(
      { kind: 'child-sa-removed', ikeSa: '1', peer: 'gw', inboundSpi: 'c1', reason: 'no answer' },
      { kind: 'ike-sa-closed', ikeSa: '1', peer: 'gw', reason: 'no answer', byPeer: false },
    )
    await world.io.said('tunnel down: no answer')
    nothingWorks(world.session)
    await world.io.said('trying again')
    world.session.emit(...comesUp('10.99.0.7'))
    await world.io.said('tunnel up: 10.99.0.7')
    expect(world.io.told.out).toContain('tunnel down: no answer')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
  })

  it('rekeyed SAs are neither "tunnel down" nor a second "tunnel up"', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()))
    await world.io.said('tunnel up')
    const [child, ike] = [comesUp().at(-1)!, comesUp().at(-3)!]
    world.session.emit(child, { kind: 'child-sa-removed', ikeSa: '1', peer: 'gw', inboundSpi: 'c1', reason: 'rekeyed' })
    world.session.emit(ike, { kind: 'ike-sa-closed', ikeSa: '1', peer: 'gw', reason: 'rekeyed', byPeer: false })
    await world.io.said('IKE SA 1 closed')
    await new Promise((resolve) => setTimeout(resolve, 10))
    world.io.signal('SIGINT')
    await exit
    expect(world.io.told.out.match(/tunnel (up|down)/g)).toEqual(['tunnel up'])
  })

  it('RFC 9329 §6.1 (T-LIFE-4): a lost connection is dialled again and is no "tunnel down"', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()))
    await world.io.said('tunnel up')
    world.session.state = 'waiting'
    world.session.emit({ kind: 'reconnecting', peer: 'gw', ikeSa: '1', inMilliseconds: 250, reason: 'connection reset' })
    await new Promise((resolve) => setTimeout(resolve, 10))
    world.session.state = 'up'
    world.session.emit({ kind: 'liveness', ikeSa: '1', peer: 'gw', result: 'alive' })
    await new Promise((resolve) => setTimeout(resolve, 10))
    world.io.signal('SIGINT')
    await exit
    expect(world.io.told.out).toContain('connecting again in 250 ms: connection reset')
    expect(world.io.told.out.match(/tunnel (up|down)/g)).toEqual(['tunnel up'])
  })

  it('the reason may come after the tunnel', async () => {
    const [events, chosen] = [comesUp().filter(({ kind }) => kind !== 'transport-chosen'), comesUp()[3]!]
    const { world, exit } = up((session) => session.emit(...events, chosen))
    await world.io.said('tunnel up: 10.99.0.2 on underpass0, over tcp 192.0.2.9:4500 (UDP had no answer in 1.6 s)')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
  })

  it('a route that cannot be made ends it, and what was made is undone', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()))
    world.ip.answer('ip -4 route add', { exitCode: 2, stderr: 'RTNETLINK answers: Invalid argument' })
    expect(await exit).toBe(1)
    expect(world.io.told.err).toBe('ip -4 route add 10.2.0.0/24 dev underpass0 proto 157: RTNETLINK answers: Invalid argument\n')
    expect(world.ip.commands.at(-1)).toBe('ip link set dev underpass0 down')
  })

  it('a crash undoes everything', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()))
    await world.io.said('tunnel up')
    world.io.crash(new Error('boom'))
    expect(await exit).toBe(1)
    expect(world.ip.commands).toContain('ip -4 route del 10.2.0.0/24 dev underpass0 proto 157')
  })

  it('a failure of the driver that is fatal ends it', async () => {
    const { world, exit } = up((session) => session.fail({ code: 'CORE_FAILED', isFatal: true, error: new Error('invariant') }))
    expect(await exit).toBe(1)
    expect(world.io.told.err).toBe('CORE_FAILED: invariant\n')
  })

  it('a name without an address: exit code 4, or again later', async () => {
    const notFound = async (name: string): Promise<string[]> => {
      throw new HostError('NAME_NOT_FOUND', `${name} has no address: ENOTFOUND`, { name, reason: 'ENOTFOUND' })
    }
    const once = up(() => {}, { resolve: notFound })
    expect(await once.exit).toBe(4)
    expect(once.world.io.told.err).toMatch(
      /client\.toml: peer\.gateway: 192\.0\.2\.9 has no address: ENOTFOUND; --keep-retrying goes on\n$/,
    )
    const again = up(() => {}, { resolve: notFound, keepRetrying: true })
    await again.world.io.said('has no address: ENOTFOUND; trying again in 1 s')
    again.world.io.signal('SIGINT')
    expect(await again.exit).toBe(130)
  })

  it('without permission nothing is opened, and no name looked up', async () => {
    const { world, exit } = up(() => {}, {
      resolve: async (name) => {
        throw new HostError('NAME_NOT_FOUND', name, { name, reason: '' })
      },
      requireNetAdmin: (device) => {
        throw new HostError('NOT_PERMITTED', `${device} cannot be made without root`, { what: device })
      },
    })
    expect(await exit).toBe(1)
    expect(world.started).toBeUndefined()
    expect(world.io.told.err).toBe('underpass0 cannot be made without root\n')
  })

  it('tun = "memory" touches no network', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()), { tun: 'tun = "memory"\n' })
    await world.io.said('tunnel up: 10.99.0.2, over tcp')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
    expect(world.ip.commands).toEqual([])
  })

  it('--json: events as lines, and a summary last', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()), { json: true })
    await world.io.said('"tunnel-up"')
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
    const lines = world.io.lines
    expect(lines.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining([
        'transport-tried',
        'transport-failed',
        'transport-chosen',
        'ike-sa-established',
        'child-sa-installed',
        'tunnel-up',
      ]),
    )
    expect(lines.find(({ kind }) => kind === 'tunnel-up')).toMatchObject({
      addresses: ['10.99.0.2'],
      path: 'tcp 192.0.2.9:4500',
      reason: 'UDP had no answer in 1.6 s',
      remoteTs: ['10.2.0.0/24'],
    })
    expect(lines.at(-1)).toMatchObject({ kind: 'summary', exitCode: 0, reason: 'SIGINT', problems: [] })
  })

  it('asks the core for the configured peer, with a UDP socket only where UDP is tried', async () => {
    for (const [transports, count] of [
      ['["udp", "tcp:4500"]', 1],
      ['["tcp:4500"]', 0],
    ] as const) {
      const { world, exit } = up((session) => session.emit(...comesUp()), { tun: `tun = "memory"\n`, transports })
      await world.io.said('tunnel up')
      expect(world.session.commands).toEqual([{ kind: 'initiate', peer: 'gw' }])
      expect(world.started!.listeners.udp).toHaveLength(count)
      expect(world.started!.sessionConfig.peers[0]).toMatchObject({ dial: { address: '192.0.2.9' } })
      world.io.signal('SIGINT')
      await exit
    }
  })
})

describe('underpass up, by a name', () => {
  const BOTH = ['2001:db8::9', '192.0.2.9']
  const dialled = (world: FakeWorld): unknown[] =>
    world.started!.sessionConfig.peers[0]!.dial!.transports.map((one) => [one.transport, one.address])

  it('RFC 8305 §4: goes to all of its addresses, by the preferred transport first', async () => {
    const { world, exit } = up((session) => session.emit(...comesUp()), { resolve: async () => BOTH })
    await world.io.said('tunnel up')
    expect(dialled(world)).toEqual([
      ['udp', BOTH[0]],
      ['udp', BOTH[1]],
      ['tcp', BOTH[0]],
      ['tcp', BOTH[1]],
    ])
    world.io.signal('SIGINT')
    await exit
  })

  it('looks it up again before each round, and tells the core of other addresses', async () => {
    let answer = ['192.0.2.8']
    const { world, exit } = up(
      (session) => {
        answer = BOTH
        session.emit({ kind: 'retry-scheduled', peer: 'gw', round: 1, inMilliseconds: 990 })
        session.onCommand('set-transports', () => session.emit(...comesUp()))
      },
      { gateway: 'gw.example', resolve: async () => answer },
    )
    await world.io.said('tunnel up')
    expect(dialled(world)).toEqual([
      ['udp', '192.0.2.8'],
      ['tcp', '192.0.2.8'],
    ])
    const told = world.session.commands.find((command) => command.kind === 'set-transports')
    expect(told).toMatchObject({
      peer: 'gw',
      transports: [{ address: BOTH[0] }, { address: BOTH[1] }, { address: BOTH[0] }, { address: BOTH[1] }],
    })
    world.io.signal('SIGINT')
    await exit
  })

  it('that is known to proxies alone: they are tried, and the rest once it is known', async () => {
    let isKnown = false
    const { world, exit } = up(
      (session) => {
        isKnown = true
        session.emit({ kind: 'retry-scheduled', peer: 'gw', round: 1, inMilliseconds: 990 })
        session.onCommand('set-transports', () => session.emit(...comesUp()))
      },
      {
        gateway: 'gw.example',
        transports: '["udp", "tls:443 via http://proxy:3128"]',
        resolve: async (name) => {
          if (!isKnown) throw new HostError('NAME_NOT_FOUND', `${name} has no address: no such name`, { name, reason: '' })
          return BOTH
        },
      },
    )
    await world.io.said('tunnel up')
    expect(dialled(world)).toEqual([['tcp', undefined]])
    expect(world.io.told.out).toContain('has no address: no such name; for now only proxies are tried')
    expect(world.session.commands.find((command) => command.kind === 'set-transports')).toMatchObject({
      transports: [{ transport: 'udp', address: BOTH[0] }, { transport: 'udp', address: BOTH[1] }, { transport: 'tcp' }],
    })
    world.io.signal('SIGINT')
    await exit
  })

  it('is the proxy’s to resolve where nothing goes without one: nobody is asked', async () => {
    let asked = 0
    const { world, exit } = up((session) => session.emit(...comesUp()), {
      gateway: 'gw.example',
      transports: '["tls:443 via http://proxy:3128"]',
      resolve: async () => {
        asked++
        return BOTH
      },
    })
    await world.io.said('tunnel up')
    expect(asked).toBe(0)
    world.io.signal('SIGINT')
    await exit
  })

  it('Ctrl-C while it is looked up ends it', async () => {
    const { world, exit } = up(() => {}, { gateway: 'gw.example', resolve: () => new Promise(() => {}) })
    world.io.signal('SIGINT')
    expect(await exit).toBe(130)
  })

  it('a full tunnel leaves all of its addresses outside, and none to itself', async () => {
    const { world, exit } = up(
      (session) => {
        world.ip.answer('ip -j -4 route get 192.0.2.9', { stdout: '[{"dst":"192.0.2.9","gateway":"198.51.100.1","dev":"eth0"}]' })
        world.ip.answer('ip -j -4 route get 192.0.2.10', { stdout: '[{"dst":"192.0.2.10","gateway":"198.51.100.1","dev":"eth0"}]' })
        session.emit(...comesUp('10.99.0.2', ['0.0.0.0/0']))
      },
      { gateway: 'gw.example', resolve: async () => ['192.0.2.9', '192.0.2.10', '192.0.2.11'] },
    )
    await world.io.said('tunnel up')
    expect(world.ip.commands.filter((command) => command.includes('192.0.2.'))).toEqual([
      'ip -4 route add 192.0.2.9/32 via 198.51.100.1 dev eth0 proto 157',
      'ip -4 route add 192.0.2.10/32 via 198.51.100.1 dev eth0 proto 157',
      'ip -4 route add unreachable 192.0.2.11/32 proto 157',
    ])
    world.io.signal('SIGINT')
    await exit
  })
})

describe('RFC 9329 §5.1 (T-FB-4): underpass up, and what is known of networks', () => {
  const inNetwork = (world: FakeWorld): void => {
    world.ip.answer('ip -j -4 route show to match', { stdout: '[{"dst":"default","gateway":"192.168.1.1","dev":"wlan0"}]' })
    world.ip.answer('ip -j -d link show', { stdout: '[{"link_type":"ether","flags":["UP"]}]' })
    world.ip.answer('ip -j neigh show', { stdout: '[{"lladdr":"02:00:00:00:00:01"}]' })
  }
  const blocked = { kind: 'transport-remembered', peer: 'gw', transport: 'udp:500', blockedForMilliseconds: 600_000 } as const

  it('tells the core which this is, before the first attempt, and keeps what is learnt for the next process', async () => {
    const first = up((session) => session.emit({ ...blocked, network: session.networks[0]! }, ...comesUp()), { prepare: inNetwork })
    await first.world.io.said('tunnel up')
    const [network] = first.world.session.networks
    expect(network).toMatch(/^[0-9a-f]{16}$/)
    expect((await requestStatus(first.control)).network).toEqual({
      identity: network,
      keptIn: expect.stringMatching(/underpass\/networks\.json$/),
    })
    first.world.io.signal('SIGINT')
    await first.exit

    const second = up((session) => session.emit(...comesUp()), { prepare: inNetwork, env: first.world.io.env })
    await second.world.io.said('tunnel up')
    expect(second.world.session.commands).toEqual([
      { kind: 'remember-transport', peer: 'gw', network, transport: 'udp:500', blockedForMilliseconds: expect.any(Number) },
      { kind: 'initiate', peer: 'gw' },
    ])
    expect(second.world.session.networks).toEqual([network])
    second.world.io.signal('SIGINT')
    await second.exit
  })

  it('but not on one that has no name, nor where that is not wanted', async () => {
    for (const variation of [{}, { prepare: inNetwork, more: '[network]\nremember = false\n' }]) {
      const { world, exit } = up((session) => session.emit({ ...blocked, network: session.networks[0] ?? '' }, ...comesUp()), variation)
      await world.io.said('tunnel up')
      expect(existsSync(join(world.io.env['XDG_STATE_HOME']!, 'underpass'))).toBe(false)
      world.io.signal('SIGINT')
      await exit
    }
  })
})

interface Variation {
  readonly gateway?: string
  /** Below [peer]. */
  readonly more?: string
  readonly prepare?: (world: FakeWorld) => void
  readonly env?: FakeWorld['io']['env']

  readonly keepRetrying?: boolean
  readonly json?: boolean
  /** Milliseconds. */
  readonly ipTakes?: number
  readonly tun?: string
  readonly transports?: string
  readonly remote?: string
  readonly openDevice?: FakeWorld['ports']['openDevice']
  readonly resolve?: FakeWorld['ports']['resolve']
  readonly requireNetAdmin?: FakeWorld['ports']['requireNetAdmin']
}

function up(
  onInitiate: (session: FakeSession) => void,
  variation: Variation = {},
): { world: FakeWorld; exit: Promise<number>; control: string } {
  const world = fakeWorld(onInitiate)
  variation.prepare?.(world)
  const control = join(temporaryDirectory(), 'c.sock')
  const file = temporaryFile(
    'client.toml',
    `control = ${JSON.stringify(control)}\n${variation.tun ?? ''}[peer]\nname = "gw"\ngateway = ${JSON.stringify(variation.gateway ?? '192.0.2.9')}\nlocal_id = "alice@example.com"\nremote_id = "@gw"\npsk = "correct horse battery staple"\ntransports = ${variation.transports ?? '["udp", "tcp:4500"]'}\n${variation.remote === undefined ? '' : `remote = ${variation.remote}\n`}${variation.more ?? ''}`,
  )
  const run: FakeWorld['ports']['run'] = async (program, args) => {
    if (variation.ipTakes !== undefined) await new Promise((resolve) => setTimeout(resolve, variation.ipTakes))
    return await world.ip.run(program, args)
  }
  const { resolve = world.ports.resolve, requireNetAdmin = world.ports.requireNetAdmin, openDevice = world.ports.openDevice } = variation
  const reporter = new Reporter({ out: world.io.out, err: world.io.err, json: variation.json ?? false, level: 'info', colour: false })
  const exit = clientUp({
    config: loadClientConfig(file),
    keepRetrying: variation.keepRetrying ?? false,
    io: variation.env === undefined ? world.io : Object.assign(world.io, { env: variation.env }),
    ports: { ...world.ports, run, resolve, requireNetAdmin, openDevice },
    reporter,
  })
  return { world, exit, control }
}

function nothingWorks(session: FakeSession): void {
  session.state = 'waiting'
  session.emit(
    { kind: 'transport-failed', peer: 'gw', transport: 'udp:500', reason: 'no answer', afterMilliseconds: 1600 },
    { kind: 'transport-failed', peer: 'gw', transport: 'tcp:4500', reason: 'connection refused', afterMilliseconds: 3 },
  )
}
