// Three networks on one machine, as namespaces: a client, a gateway, and between them a network that forwards TCP and loses UDP.
// This process is in the middle one.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath, getgid } from 'node:process'
import { fileURLToPath } from 'node:url'
import { clientConfig, GATEWAY_INNER, gatewayConfig } from './configs.mjs'
import { Background, findProgram, spawnTracked } from './processes.mjs'

/** This place is not to be had here; nothing was begun. */
export class Impossible extends Error {}

const CLIENT_OUTER = '192.0.2.2'
const GATEWAY_OUTER = '198.51.100.2'
const root = fileURLToPath(new URL('..', import.meta.url))

export class NamespaceLab {
  apps = []
  #dir
  #place
  #without
  #services = []
  #device
  #block

  constructor({ dir, place, without }) {
    this.#dir = dir
    this.#place = place
    this.#without = without
  }

  get words() {
    const owner = this.#place === 'user namespace' ? 'made without privileges (user namespace)' : 'made as root (no user namespaces here)'
    const device = { tun: 'a real TUN', packet: 'a packet device on a veth pair (/dev/net/tun cannot be opened here)' }[this.#device]
    return [
      `three network namespaces, ${owner}; the tunnel’s interface is ${device}`,
      `client ${CLIENT_OUTER}  ──  a network that drops UDP  ──  gateway ${GATEWAY_OUTER}`,
      `UDP is dropped there by ${this.#block.words}`,
    ]
  }

  get facts() {
    return { place: this.#place, device: this.#device, udpBlockedBy: this.#block.name }
  }

  /** Throws `Impossible` where the kernel or what is installed does not allow it. */
  async open() {
    // `ip netns` keeps its names in /run, which is not ours.
    await this.#must('mount', ['-t', 'tmpfs', 'run', '/run'])
    await this.#must('ip', ['link', 'set', 'lo', 'up'])
    await this.#attach('client', '192.0.2.1', CLIENT_OUTER)
    await this.#attach('gateway', '198.51.100.1', GATEWAY_OUTER)
    try {
      writeFileSync('/proc/sys/net/ipv4/ip_forward', '1\n')
    } catch (error) {
      throw new Impossible(`forwarding cannot be turned on: ${error.message}`)
    }
    this.#block = await this.#blockUdp()
    this.#device = await this.#chooseDevice()
  }

  async startGateway({ onEvent }) {
    const config = gatewayConfig({ dir: this.#dir, device: this.#device, udp: [500, 4500], tcp: [4500] })
    const gateway = this.#app('gateway', 'apps/gateway/dist/underpass-gateway.js', 'run', config, onEvent)
    await gateway.event('gateway-up', ({ kind }) => kind === 'gateway-up', 20_000)
    const server = this.#background('gateway', 'server', 'server.mjs', [GATEWAY_INNER, join(this.#dir, 'file.bin')])
    this.#services.push(server)
    await server.event('serving', ({ kind }) => kind === 'serving', 10_000)
    return gateway
  }

  startClient({ onEvent }) {
    const config = clientConfig({ dir: this.#dir, device: this.#device, gateway: GATEWAY_OUTER, transports: ['udp', 'tcp:4500'] })
    return this.#app('client', 'apps/client/dist/underpass.js', 'up', config, onEvent)
  }

  /** Where programs at the client find the server at the gateway. */
  get server() {
    return { http: `http://${GATEWAY_INNER}:8080/`, udp: [GATEWAY_INNER, '9000'] }
  }

  /** A program of demo/programs in the client's namespace; what its last line of JSON says. */
  async program(script, words, timeout = 30_000) {
    const file = fileURLToPath(new URL(`./programs/${script}`, import.meta.url))
    const { code, stdout, output } = await this.#in('client', [execPath, file, ...words], { timeout })
    const last = stdout.trim().split('\n').at(-1)
    if (code !== 0 || !last.startsWith('{')) throw new Error(`${script}: ${output.trim().split('\n').at(-1)} (status ${code})`)
    return JSON.parse(last)
  }

  /** The system's own ping where there is one, else an ICMP socket of Node's process. */
  async ping(count) {
    const ping = findProgram('ping', this.#without)
    if (ping !== undefined) {
      const { stdout } = await this.#in('client', [ping, '-n', '-q', '-c', count, '-i', '0.05', '-W', '2', GATEWAY_INNER], { timeout: 20_000 })
      const received = Number(/(\d+) (?:packets )?received/.exec(stdout)?.[1] ?? Number.NaN)
      const [, min, mean, max] = /= ([\d.]+)\/([\d.]+)\/([\d.]+)/.exec(stdout)?.map(Number) ?? []
      if (mean !== undefined) return { by: 'the ping program', count, received, min, mean, max, octets: received * 64 }
    }
    return await this.program('ping.mjs', [GATEWAY_INNER, String(count)])
  }

  /** UDP datagrams outside the tunnel so far, as the two kernels counted them. Ask before anything uses UDP inside it. */
  udpSeen() {
    const [client, gateway] = this.apps.toSorted((a, b) => a.label.localeCompare(b.label))
    return { sent: udpCounters(client.pid).OutDatagrams, arrived: udpCounters(gateway.pid).InDatagrams }
  }

  status(role) {
    return this.#runApp([execPath, ...appWords(role), 'status', '--json', '--config', join(this.#dir, `${role}.toml`)])
  }

  /** For another terminal of the same user: a page through the tunnel by a program that is here in any case, and what the client says. */
  tryNext() {
    const client = this.apps.find(({ label }) => label === 'client')
    const user = this.#place === 'user namespace' ? '-U --preserve-credentials ' : ''
    const curl = findProgram('curl', this.#without)
    const fetch = curl === undefined ? `${quoted(execPath)} -e "fetch('${this.server.http}').then(async (page) => console.log(await page.text()))"` : `curl ${this.server.http}`
    const commands = findProgram('nsenter', this.#without) === undefined ? [] : [`nsenter -t ${client.pid} ${user}-n ${fetch}`]
    commands.push(statusCommand('client', this.#dir))
    if (commands.length < 2) commands.push(statusCommand('gateway', this.#dir))
    return commands
  }

  async close() {
    for (const one of [...this.#services, ...this.apps.toReversed()]) await one.stop()
  }

  removeSecrets() {
    for (const role of ['client', 'gateway']) rmSync(join(this.#dir, `${role}.toml`), { force: true })
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

  /** The first that this machine has and its kernel takes. */
  async #blockUdp() {
    const ways = [
      {
        name: 'nft',
        words: 'nftables',
        commands: [['nft', ['-f', '-'], 'table inet demo { chain forward { type filter hook forward priority 0; meta l4proto udp drop; } }']],
      },
      { name: 'iptables', words: 'iptables', commands: [['iptables', ['-A', 'FORWARD', '-p', 'udp', '-j', 'DROP']]] },
      // Routing drops it silently too (fib-rules, Linux 4.17).
      { name: 'ip rule', words: 'a routing rule (ip rule … ipproto udp blackhole)', commands: [['ip', ['rule', 'add', 'pref', '1', 'ipproto', 'udp', 'blackhole']]] },
    ]
    const reasons = []
    for (const way of ways) {
      try {
        for (const [program, words, input] of way.commands) await this.#must(program, words, { input })
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
      // The next kind says what is wrong, should it be wrong with that one too.
    }
    try {
      const pair = createPacketDevicePair({ name: 'probe0' })
      pair.open().close()
      pair.remove()
      return 'packet'
    } catch (error) {
      throw new Impossible(`there is neither a TUN nor a packet device: ${error.message}`)
    }
  }

  #app(role, _file, command, config, onEvent) {
    const app = new Background(role, findProgram('ip'), ['netns', 'exec', role, execPath, ...appWords(role), command, '--json', '--config', config], {
      log: join(this.#dir, `${role}.log`),
      onEvent,
    })
    this.apps.push(app)
    return app
  }

  #background(namespace, label, script, words) {
    const file = fileURLToPath(new URL(`./programs/${script}`, import.meta.url))
    return new Background(label, findProgram('ip'), ['netns', 'exec', namespace, execPath, file, ...words], { log: join(this.#dir, `${label}.log`) })
  }

  #in(namespace, command, options) {
    if (namespace === 'client') allowPing()
    return spawnTracked(findProgram('ip'), ['netns', 'exec', namespace, ...command.map(String)], options)
  }

  async #runApp([program, ...words]) {
    const { code, stdout, output } = await spawnTracked(program, words, { timeout: 10_000 })
    if (code !== 0) throw new Error(`status ${code}: ${output.trim()}`)
    return JSON.parse(stdout)
  }

  async #must(name, words, { input } = {}) {
    const program = findProgram(name, this.#without)
    if (program === undefined) throw new Impossible(`there is no ${name} here`)
    const { code, output } = await spawnTracked(program, words, { input, timeout: 10_000 })
    if (code !== 0) throw new Impossible(`${name} ${words.join(' ')}: ${output.trim().split('\n').at(-1) || `status ${code}`}`)
  }
}
