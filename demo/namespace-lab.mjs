// Three networks on one machine, as namespaces: a client, a gateway, and between them a network that forwards TCP and loses UDP.
// This process is in the middle one.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { APPS, GATEWAY_INNER, Impossible, Lab, programFile, quoted, resultOf } from './lab.mjs'
import { EventSource, findProgram, spawnTracked } from './processes.mjs'

// Documentation addresses (RFC 5737).
const CLIENT_OUTER = '192.0.2.2'
const GATEWAY_OUTER = '198.51.100.2'

export class NamespaceLab extends Lab {
  #place
  #device
  #block

  constructor(options) {
    super(options)
    this.#place = options.place
  }

  get words() {
    const owner = this.#place === 'user namespace' ? 'in a user namespace, so without privileges' : 'made as root: user namespaces are off'
    const device = { tun: 'a TUN', packet: 'a packet device over a veth pair, since /dev/net/tun cannot be opened here' }[this.#device]
    return [
      `network namespaces for a client, a gateway and what is between them (${owner})`,
      `client ${CLIENT_OUTER} ── a network that drops UDP (${this.#block.words}) ── gateway ${GATEWAY_OUTER}`,
      `the tunnel’s interfaces: ${device}`,
    ]
  }

  get facts() {
    return { place: this.#place, device: this.#device, udpBlockedBy: this.#block.name }
  }

  /** Throws `Impossible` where the kernel or what is installed does not allow it. */
  async open() {
    // `ip netns` keeps its names in /run, which is not ours.
    await this.#must('mount', ['-t', 'tmpfs', 'run', '/run'])
    await this.#attach('client', '192.0.2.1', CLIENT_OUTER)
    await this.#attach('gateway', '198.51.100.1', GATEWAY_OUTER)
    try {
      writeFileSync('/proc/sys/net/ipv4/ip_forward', '1\n')
    } catch (error) {
      throw new Impossible(`forwarding cannot be turned on (${error.code})`)
    }
    this.#block = await this.#blockUdp()
    this.#device = await this.#chooseDevice()
  }

  async startGateway({ psk, file, onEvent }) {
    this.writeGatewayConfig({ psk, device: this.#device, udp: [500, 4500], tcp: [4500] })
    const gateway = this.#app('gateway', 'run', onEvent)
    const up = await gateway.event('gateway-up', 20_000)
    const words = [execPath, programFile('server.mjs'), GATEWAY_INNER, '8080', '9000', file]
    const server = this.#background('gateway', 'server', words, join(this.dir, 'server.log'))
    this.services.push(server)
    await server.event('serving', 10_000)
    return up
  }

  startClient({ psk, onEvent }) {
    this.writeClientConfig({ psk, device: this.#device, gateway: GATEWAY_OUTER, transports: ['udp', 'tcp:4500'] })
    return this.#app('client', 'up', onEvent)
  }

  /** Where programs at the client find the server at the gateway. */
  server = { address: GATEWAY_INNER, http: '8080', udp: '9000' }

  /** A program of demo/programs in the client's namespace. */
  async program(name, words) {
    return resultOf(name, await this.#run('client', [execPath, programFile(name), ...words]))
  }

  /** The system's own ping where there is one, else an ICMP socket. */
  async ping(count) {
    const ping = findProgram('ping', this.without)
    if (ping !== undefined) {
      const { stdout } = await this.#run('client', [ping, '-n', '-q', '-c', `${count}`, '-i', '0.05', '-W', '2', GATEWAY_INNER])
      const received = Number(/(\d+) (?:packets )?received/.exec(stdout)?.[1])
      const [, , mean, max] = /= ([\d.]+)\/([\d.]+)\/([\d.]+)/.exec(stdout)?.map(Number) ?? []
      if (mean !== undefined) return { by: 'by the ping that is installed here', received, mean, max, octets: received * 64 }
    }
    return await this.program('ping.mjs', [GATEWAY_INNER, `${count}`, this.server.http])
  }

  /** UDP datagrams as the two kernels count them. Asked before anything sends UDP inside the tunnel. */
  udpSeen() {
    const counted = (role) => udpCounters(this.apps.find(({ label }) => label === role).pid)
    return { sent: counted('client').OutDatagrams, arrived: counted('gateway').InDatagrams }
  }

  /** For another terminal of the same user. */
  tryNext() {
    const nsenter = findProgram('nsenter', this.without)
    if (nsenter === undefined) return [this.statusCommand('client'), this.statusCommand('gateway')]
    const { pid } = this.apps.find(({ label }) => label === 'client')
    const url = `http://${GATEWAY_INNER}:${this.server.http}/`
    const fetch = [execPath, '-e', `fetch("${url}").then(async (page) => console.log(await page.text()))`]
    const page = findProgram('curl', this.without) === undefined ? fetch : ['curl', '-s', url]
    const user = this.#place === 'user namespace' ? ['-U', '--preserve-credentials'] : []
    return [['nsenter', '-t', `${pid}`, ...user, '-n', ...page].map(quoted).join(' '), this.statusCommand('client')]
  }

  async #attach(namespace, near, far) {
    await this.#must('ip', ['netns', 'add', namespace])
    await this.#must('ip', ['link', 'add', `to-${namespace}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace])
    await this.#must('ip', ['address', 'add', `${near}/24`, 'dev', `to-${namespace}`])
    await this.#must('ip', ['link', 'set', `to-${namespace}`, 'up'])
    await this.#must('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
    await this.#must('ip', ['-n', namespace, 'address', 'add', `${far}/24`, 'dev', 'eth0'])
    await this.#must('ip', ['-n', namespace, 'link', 'set', 'eth0', 'up'])
    await this.#must('ip', ['-n', namespace, 'route', 'add', 'default', 'via', near])
  }

  /** The first way that this machine has and its kernel takes. */
  async #blockUdp() {
    const reasons = []
    for (const way of UDP_BLOCKS) {
      try {
        await this.#must(way.program, way.arguments, way.input)
        return way
      } catch (error) {
        reasons.push(error.message)
      }
    }
    throw new Impossible(`UDP cannot be blocked: ${reasons.join('; ')}`)
  }

  async #chooseDevice() {
    const { createPacketDevicePair, openTun } = await import('@underpass/tun-device')
    try {
      openTun({ name: 'probe0' }).close()
      return 'tun'
    } catch {
      // Should the other kind not be had either, it says why.
    }
    try {
      const pair = createPacketDevicePair({ name: 'probe0' })
      pair.open().close()
      pair.remove()
      return 'packet'
    } catch (error) {
      throw new Impossible(`neither a TUN nor a packet device can be had (${error.message})`)
    }
  }

  #app(role, command, onEvent) {
    const words = [execPath, APPS[role], command, '--json', '--config', this.configFile(role)]
    const app = this.#background(role, role, words, join(this.dir, `${role}.log`), onEvent)
    this.apps.push(app)
    return app
  }

  #background(namespace, label, words, log, onEvent) {
    return new EventSource(label, findProgram('ip'), ['netns', 'exec', namespace, ...words], { log, onEvent })
  }

  #run(namespace, words) {
    return spawnTracked(findProgram('ip'), ['netns', 'exec', namespace, ...words], { timeout: 30_000 })
  }

  async #must(name, words, input) {
    const program = findProgram(name, this.without)
    if (program === undefined) throw new Impossible(`there is no ${name} here`)
    const { code, output } = await spawnTracked(program, words, { input, timeout: 10_000 })
    if (code !== 0) throw new Impossible(`${name} ${words.join(' ')}: ${output.trim().split('\n').at(-1) || `status ${code}`}`)
  }
}

/** What drops, in the middle, every UDP packet that is to be forwarded, and says nothing to its sender. */
const UDP_BLOCKS = [
  {
    name: 'nft',
    words: 'by nftables',
    program: 'nft',
    arguments: ['-f', '-'],
    input:
      'add table inet demo\nadd chain inet demo forward { type filter hook forward priority 0; }\nadd rule inet demo forward meta l4proto udp drop\n',
  },
  { name: 'iptables', words: 'by iptables', program: 'iptables', arguments: ['-A', 'FORWARD', '-p', 'udp', '-j', 'DROP'] },
  {
    name: 'ip rule',
    words: 'by a routing rule, "ipproto udp blackhole"',
    program: 'ip',
    arguments: ['rule', 'add', 'pref', '1', 'ipproto', 'udp', 'blackhole'],
  },
]

/** Of the network namespace that a process is in: proc_net_snmp's two lines, names and numbers. */
function udpCounters(pid) {
  const lines = readFileSync(`/proc/${pid}/net/snmp`, 'utf8').split('\n')
  const [names, values] = lines.filter((line) => line.startsWith('Udp:')).map((line) => line.split(' '))
  return Object.fromEntries(names.map((name, index) => [name, Number(values[index])]))
}
