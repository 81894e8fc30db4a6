import { describe, expect, it } from 'vitest'
import { clientPlan, gatewayPlan, loadClientConfig, loadGatewayConfig } from '../../src/index.ts'
import { forwardingSteps, peerRouteSteps } from '../../src/network/gateway-network.ts'
import { formatAction } from '../../src/network/step.ts'
import { temporaryFile } from '../temporary.ts'
import { FakeIp } from './fake-ip.ts'

const FILE = `[[connection]]
name = "people"
local_id = "@gw"
psk = "0123456789abcdef"
pool = { ranges = ["10.99.0.2-10.99.0.254", "fd00:99::2-fd00:99::ffff"] }
[[connection]]
name = "branch"
local_id = "@gw"
remote_id = "@branch"
psk = "0123456789abcdef"
local = ["10.2.0.0/24"]
remote = ["10.3.0.0/24", "0.0.0.0/0"]
[tun]
address = ["10.99.0.1/24", "fd00:99::1/112"]
[network]
forwarding = true
`

describe('the gateway’s routes', () => {
  it('lead to pools and peers’ subnets, one for a pool inside the device’s own network, and never a default', () => {
    const steps = peerRouteSteps(load(FILE), 'underpass-gw0')
    expect(steps.map(({ action }) => formatAction(action))).toEqual([
      'ip -4 route add 10.99.0.0/24 dev underpass-gw0 proto 157',
      'ip -6 route add fd00:99::/112 dev underpass-gw0 proto 157',
      'ip -4 route add 10.3.0.0/24 dev underpass-gw0 proto 157',
    ])
  })

  it('are the pool’s exact range without such a network', () => {
    const steps = peerRouteSteps(load(FILE.replace(/address = .*\n/, '')), 'underpass-gw0')
    expect(steps.filter(({ key }) => key.startsWith('route 10.99.'))).toHaveLength(13)
  })

  it('are none when the configuration says so', () => {
    expect(peerRouteSteps(load(`${FILE}routes = false\n`), 'underpass-gw0')).toEqual([])
  })
})

describe('forwarding', () => {
  it('is turned on for the families in use, only when configured, and put back', () => {
    expect(forwardingSteps(load(FILE)).map(({ action, undo }) => [formatAction(action), undo])).toEqual([
      ['write "1" to /proc/sys/net/ipv4/ip_forward', 'restore'],
      ['write "1" to /proc/sys/net/ipv6/conf/all/forwarding', 'restore'],
    ])
    expect(forwardingSteps(load(FILE.replace('forwarding = true', '')))).toEqual([])
  })
})

describe('plans', () => {
  it('the gateway’s names every command and its undoing', () => {
    const plan = gatewayPlan(load(FILE)).join('\n')
    expect(plan).toContain(
      '  underpass-gw0 up, mtu 1400\n    done by: ip link set dev underpass-gw0 mtu 1400 up\n    undone:  ip link set dev underpass-gw0 down',
    )
    expect(plan).toContain(
      '    done by: ip -4 address add 10.99.0.1/24 dev underpass-gw0 noprefixroute\n    undone:  ip -4 address del 10.99.0.1/24 dev underpass-gw0',
    )
    expect(plan).toContain('    undone:  put back what it held')
    expect(plan).not.toContain('0123456789abcdef')
  })

  it('the client’s says what it is for, by which command, and what undoes it', async () => {
    const suites = 'ike = ["aes256gcm16-prfsha256-x25519"]\nesp = ["aes256gcm16"]'
    const peer = `gateway = "192.0.2.9"\nlocal_id = "@me"\nremote_id = "@gw"\npsk = "0123456789abcdef"\nremote = ["10.2.0.0/24"]\n${suites}`
    expect(await clientPlan(loadClientConfig(temporaryFile('c.toml', `[peer]\n${peer}\n`), '/nowhere/policy.toml'))).toEqual([
      'connect to 192.0.2.9: udp:500 (4500 where a NAT is found), else tcp:4500',
      '  we are @me, they are @gw (a secret of 16 octets)',
      '  let through: the assigned address on this side <-> 10.2.0.0/24 on theirs',
      '  algorithms for IKE: aes256gcm16-prfsha256-x25519',
      '  algorithms for ESP: aes256gcm16; replay window 1024',
      '  rekeyed before: the IKE SA 4 h, Child SAs 60 min; a key exchange for each Child SA: where the peer will',
      '  ask for an IPv4 address',
      '  if the first attempt fails: give up',
      'transports that are forbidden: none (/nowhere/policy.toml, which is not there, and [policy])',
      'use device underpass0, mtu 1400; cryptography: auto',
      'route into the tunnel: what the gateway agrees to',
      'name servers that the gateway names: only shown',
      'keep what is learnt of networks: on disk',
      'change this host, when the gateway agrees to all that is asked:',
      '  underpass0 up, mtu 1400',
      '    done by: ip link set dev underpass0 mtu 1400 up',
      '    undone:  ip link set dev underpass0 down',
      '  address that the gateway assigns, on underpass0',
      '  route 10.2.0.0/24 through underpass0',
      '    done by: ip -4 route add 10.2.0.0/24 dev underpass0 proto 157',
      '    undone:  ip -4 route del 10.2.0.0/24 dev underpass0 proto 157',
      'at the end, or after a crash by "down" or the next start: undo what was done, newest first',
    ])
  })

  it('the client’s has the way to the gateway, and changes nothing', async () => {
    const config = loadClientConfig(temporaryFile('c.toml', '[peer]\ngateway = "gw.example"\nlocal_id = "@me"\npsk = "0123456789abcdef"\n'))
    const fake = new FakeIp().answer('ip -j -4 route get 192.0.2.9', {
      stdout: '[{"dst":"192.0.2.9","gateway":"198.51.100.1","dev":"eth0"}]',
    })
    const plan = (await clientPlan(config, { run: fake.run, resolve: async () => ['192.0.2.9'], resolveServices: async () => [] })).join(
      '\n',
    )
    expect(plan).toContain('    done by: ip -4 route add 192.0.2.9/32 via 198.51.100.1 dev eth0 proto 157\n')
    expect(plan).toContain('    done by: ip -4 route add 0.0.0.0/1 dev underpass0 proto 157\n')
    expect(fake.commands).toEqual([])
    expect((await clientPlan(config)).join('\n')).toContain('  route to gw.example itself, outside the tunnel')
  })
})

function load(text: string): ReturnType<typeof loadGatewayConfig> {
  return loadGatewayConfig(temporaryFile('gw.toml', text))
}
