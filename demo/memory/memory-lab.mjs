// Without namespaces: both programs on the loopback, each with a TUN in memory and a small host of ours behind it instead of the
// kernel's. Nothing of the machine's network is touched, and nothing but Node is needed.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { GATEWAY_INNER, Lab, programFile, quoted, resultOf } from '../lab.mjs'
import { EventSource, findProgram, spawnTracked } from '../processes.mjs'

const END = fileURLToPath(new URL('./end.mjs', import.meta.url))
const LOOPBACK = '127.0.0.1'
const HTTP = 8080
const DATAGRAMS = 9000

export class MemoryLab extends Lab {
  /** Where programs here find the server at the gateway, once the tunnel is up. */
  server
  #swallow
  #swallowed = 0
  #gatewayPort

  get words() {
    return [
      `both programs on ${LOOPBACK}, each with a TUN in memory and a small host of ours behind it instead of the kernel’s`,
      `UDP to the gateway goes to port ${this.#swallow.address().port}, where everything is swallowed and nothing answered`,
      'programs get into the tunnel and out of it through forwarded ports',
    ]
  }

  get facts() {
    return { place: 'memory', device: 'memory', udpBlockedBy: 'swallowing socket' }
  }

  async open() {
    this.#swallow = createSocket('udp4')
    this.#swallow.on('message', () => this.#swallowed++)
    await new Promise((resolve, reject) => this.#swallow.once('error', reject).bind(0, LOOPBACK, resolve))
    this.server = { address: LOOPBACK, http: `${await freePort()}`, udp: `${await freePort()}` }
  }

  async startGateway({ psk, file, onEvent }) {
    this.writeGatewayConfig({ psk, device: 'memory', address: LOOPBACK, udp: [], tcp: [0] })
    const gateway = this.#app('gateway', 'run', onEvent)
    const up = await gateway.event('gateway-up', 20_000)
    this.#gatewayPort = /:(\d+)\/tcp$/.exec(up.listening[0])[1]
    const words = [programFile('server.mjs'), LOOPBACK, '0', '0', file]
    const server = new EventSource('server', execPath, words, { log: join(this.dir, 'server.log') })
    this.services.push(server)
    const { http, udp } = await server.event('serving', 10_000)
    await gateway.ask({ kind: 'address', address: GATEWAY_INNER }, 5_000)
    await gateway.ask({ kind: 'inward', tcp: [[HTTP, http]], udp: [[DATAGRAMS, udp]] }, 5_000)
    return up
  }

  startClient({ psk, onEvent }) {
    const transports = [`udp:${this.#swallow.address().port}`, `tcp:${this.#gatewayPort}`]
    this.writeClientConfig({ psk, device: 'memory', gateway: LOOPBACK, transports })
    return this.#app('client', 'up', onEvent)
  }

  async tunnelUp({ addresses }) {
    const client = this.#client
    await client.ask({ kind: 'address', address: addresses[0] }, 5_000)
    const local = { tcp: Number(this.server.http), udp: Number(this.server.udp) }
    await client.ask({ kind: 'outward', address: GATEWAY_INNER, tcp: HTTP, udp: DATAGRAMS, local }, 5_000)
  }

  async program(name, words) {
    return resultOf(name, await spawnTracked(execPath, [programFile(name), ...words], { timeout: 30_000 }))
  }

  async ping(count) {
    const answer = await this.#client.ask({ kind: 'ping', address: GATEWAY_INNER, count }, 30_000)
    return { by: 'between the small hosts', octets: answer.received * 64, ...answer }
  }

  udpSeen() {
    return { sent: this.#swallowed, arrived: 0 }
  }

  /** For another terminal of the same user: a page through the tunnel, and what the client says. */
  tryNext() {
    const url = `http://${LOOPBACK}:${this.server.http}/`
    const fetch = [execPath, '-e', `fetch("${url}").then(async (page) => console.log(await page.text()))`]
    const page = findProgram('curl', this.without) === undefined ? fetch : ['curl', '-s', url]
    return [page.map(quoted).join(' '), this.statusCommand('client')]
  }

  async close() {
    await super.close()
    this.#swallow?.close()
  }

  get #client() {
    return this.apps.find(({ label }) => label === 'client')
  }

  #app(role, command, onEvent) {
    const words = [END, role, command, '--json', '--config', this.configFile(role)]
    const app = new EventSource(role, execPath, words, { log: join(this.dir, `${role}.log`), onEvent, hasChannel: true })
    this.apps.push(app)
    return app
  }
}

/** Free now; nobody but us is likely to take it in the next seconds. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, LOOPBACK, () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
