import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HostError, loadClientConfig, loadGatewayConfig } from '../../src/index.ts'
import { describeClientConfig, describeGatewayConfig } from '../../src/report/config-words.ts'
import { temporaryDirectory, temporaryFile } from '../temporary.ts'

const PEER = '[peer]\ngateway = "192.0.2.9"\nlocal_id = "@me"\npsk = "0123456789abcdef"\n'
const CONNECTION = '[[connection]]\nname = "road"\nlocal_id = "@gw"\npsk = "0123456789abcdef"\npool = { ranges = ["10.9.0.0/24"] }\n'
const NOWHERE = '/nowhere/policy.toml'

describe('what an administrator forbids: a client', () => {
  it('may not ask for it, and is told by which line of which file', () => {
    const policy = temporaryFile('policy.toml', '# the security department\nforbid = ["proxy", "tls"]\n')
    const transports = 'transports = ["udp", "tls:443", "tcp:4500 via http://proxy:3128", "tcp:4500"]\n'
    expect(complaint(() => loadClientConfig(temporaryFile('client.toml', PEER + transports), policy))).toEqual([
      expect.stringMatching(new RegExp(`client\\.toml:5: peer\\.transports\\[1\\]: is forbidden: tls by ${policy}:2$`)),
      expect.stringMatching(new RegExp(`client\\.toml:5: peer\\.transports\\[2\\]: is forbidden: proxy by ${policy}:2$`)),
    ])
  })

  it('nor what its own file forbids', () => {
    const file = temporaryFile('client.toml', `${PEER}transports = ["udp:4500"]\n[policy]\nforbid = ["udp"]\n`)
    expect(complaint(() => loadClientConfig(file, NOWHERE))).toEqual([`${file}:5: peer.transports[0]: is forbidden: udp by ${file}:7`])
  })

  it.each(['tls:443 via env', 'tls:443 via socks5://proxy:1080'])('a proxy is one whichever says so: %s', (transport) => {
    const file = temporaryFile('client.toml', `${PEER}transports = ["${transport}"]\n[policy]\nforbid = ["proxy"]\n`)
    expect(complaint(() => loadClientConfig(file, NOWHERE)).join()).toContain('is forbidden: proxy by')
  })

  it('the machine’s file cannot be overridden by [policy] of another', () => {
    const policy = temporaryFile('policy.toml', 'forbid = ["udp"]\n')
    const file = temporaryFile('client.toml', `${PEER}transports = ["udp"]\n[policy]\nforbid = []\n`)
    expect(complaint(() => loadClientConfig(file, policy)).join()).toContain(`is forbidden: udp by ${policy}:1`)
  })

  it('without a list of its own takes what is left of the usual one', () => {
    const policy = temporaryFile('policy.toml', 'forbid = ["udp"]\n')
    const config = loadClientConfig(temporaryFile('client.toml', PEER), policy)
    expect(config.transports).toEqual([{ transport: 'tcp', port: 4500, framing: 'rfc9329' }])
    expect(describeClientConfig(config)).toContain(`transports that are forbidden: udp by ${policy}:1 (${policy} and [policy])`)
  })

  it('of which nothing may be left', () => {
    const policy = temporaryFile('policy.toml', 'forbid = ["udp",\n  "tcp"]\n')
    expect(complaint(() => loadClientConfig(temporaryFile('client.toml', PEER), policy))).toEqual([
      expect.stringMatching(
        new RegExp(`:1: peer: has no transports, and the usual ones are forbidden: udp by ${policy}:1, tcp by ${policy}:2$`),
      ),
    ])
  })

  it('a machine’s file that is not right is an error: what it forbids would be allowed', () => {
    for (const text of ['forbid = ["upd"]\n', 'forbid = "udp"\n', 'forbids = ["udp"]\n', 'forbid = [\n']) {
      const policy = temporaryFile('policy.toml', text)
      expect(complaint(() => loadClientConfig(temporaryFile('client.toml', PEER), policy))[0]).toContain(policy)
    }
  })

  it('nor is one that cannot be read none', () => {
    const policy = join(temporaryDirectory(), 'policy.toml')
    symlinkSync(policy, policy)
    expect(() => loadClientConfig(temporaryFile('client.toml', PEER), policy)).toThrow(
      expect.objectContaining({ code: 'CONFIG_UNREADABLE' }),
    )
  })
})

describe('what an administrator forbids: a gateway', () => {
  it('may not listen for it', () => {
    const policy = temporaryFile('policy.toml', 'forbid = ["udp"]\n')
    const file = temporaryFile('gateway.toml', `[listen]\nudp = [4500]\n${CONNECTION}`)
    expect(complaint(() => loadGatewayConfig(file, policy))).toEqual([`${file}:2: listen.udp: is forbidden: udp by ${policy}:1`])
  })

  it('and does not, where nothing says that it should', () => {
    const policy = temporaryFile('policy.toml', 'forbid = ["udp"]\n')
    const config = loadGatewayConfig(temporaryFile('gateway.toml', CONNECTION), policy)
    expect([config.udp, config.tcp.map(({ port }) => port)]).toEqual([[], [4500]])
    expect(describeGatewayConfig(config)).toContain(`transports that are forbidden: udp by ${policy}:1 (${policy} and [policy])`)
  })

  it('with nothing left to listen on is an error', () => {
    const policy = temporaryFile('policy.toml', 'forbid = ["udp", "tcp"]\n')
    const said = complaint(() => loadGatewayConfig(temporaryFile('gateway.toml', CONNECTION), policy)).join()
    expect(said).toContain(`listen: could be for what is forbidden alone: udp by ${policy}:1, tcp by ${policy}:1`)
  })
})

function complaint(load: () => unknown): string[] {
  try {
    load()
  } catch (error) {
    if (error instanceof HostError && error.code === 'CONFIG_INVALID') return error.message.split('\n')
    throw error
  }
  return []
}
