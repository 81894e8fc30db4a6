// `underpass up` on one network or another, and what it says of it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PLAIN_LOGIN } from '../../interop/lib/proxies.mjs'
import { startClient, startGateway } from '../../interop/lib/underpass.mjs'
import { certificate } from '../contenders/certificates.mjs'
import { PROXY, RULES } from './firewall.mjs'
import { firstPing } from './first-ping.mjs'
import { GATEWAY } from './two-ends.mjs'

/** The same list on every network: whoever travels does not know which is next. */
export const TRANSPORTS = ['udp', 'tcp:4500', 'tls:443', `tls:443 via http://${PLAIN_LOGIN}@${PROXY}`]
const INNER = '10.1.0.1'
const SERVER = 'server'
const PATIENCE = 30_000
/** Between a lost tunnel and the next try: long enough for a gateway to be started again. */
const RETRY = '3s'

/**
 * @typedef {{ fromStart: number | undefined, upFromStart: number | undefined, starting: number | undefined, trying: number, pingFromTrying: number, carriedIn: string }} Times
 *   seconds. `fromStart`: from the start of the process to the first answered ping; `upFromStart`: until it says that it is up; `starting`: until
 *   it tries a transport; `trying`: from there to up, as the client says; `pingFromTrying`: to the first answered ping
 */
export class OursComingUp {
  #ends
  #firewall
  #pems
  #gateways = 0
  #clients = 0

  static async start(ends, firewall) {
    const ours = new OursComingUp()
    ours.#ends = ends
    ours.#firewall = firewall
    ours.#pems = await certificate(ends.folder('tls'), [SERVER])
    await ours.#startGateway()
    return ours
  }

  /** On a network of which nothing is known. @param {keyof typeof RULES} network @returns {Promise<Times>} */
  async first(network) {
    await this.#firewall.allow(RULES[network])
    return await this.#once(this.#newMemory())
  }

  /**
   * Where it is known what this network blocks: by what a process before has written to disk, or, where nothing is, by a process that is up
   * already: its gateway says goodbye and is started again.
   * @returns {Promise<Times & { knownBy: 'disk' | 'process' }>}
   */
  async known(network) {
    await this.#firewall.allow(RULES[network])
    const memory = this.#newMemory()
    const client = this.#startClient(memory)
    await client.established({ timeout: PATIENCE })
    if (existsSync(join(this.#ends.folder(memory), 'underpass/networks.json'))) {
      await client.stop()
      return { ...(await this.#once(memory)), knownBy: 'disk' }
    }
    const since = client.mark
    await this.#gateway.stop()
    await client.closed({ since })
    const ping = firstPing(this.#ends, this.#ends.client, INNER)
    await this.#startGateway()
    const { at: up } = await client.waitFor('tunnel-up', { since, timeout: PATIENCE })
    const answered = await ping.answered(PATIENCE)
    const times = timesOf(client.events('transport-tried', since)[0], up, answered, client.events('transport-chosen', since)[0])
    await Promise.all([ping.stop(), client.stop()])
    return { ...times, knownBy: 'process' }
  }

  /** The process alone has a gateway; the network is as it was left. */
  async #once(memory) {
    const ping = firstPing(this.#ends, this.#ends.client, INNER)
    const began = Date.now()
    const client = this.#startClient(memory)
    const { at: up } = await client.waitFor('tunnel-up', { timeout: PATIENCE })
    const answered = await ping.answered(PATIENCE)
    await Promise.all([ping.stop(), client.stop()])
    const times = timesOf(client.events('transport-tried')[0], up, answered, client.events('transport-chosen')[0])
    return { ...times, fromStart: seconds(answered - began), upFromStart: seconds(Date.parse(up) - began), starting: since(client, began) }
  }

  #startClient(memory) {
    return startClient(this.#ends, this.#ends.client, {
      label: memory,
      gateway: GATEWAY,
      transports: TRANSPORTS,
      remote: ['10.1.0.0/24'],
      tls: { ca_file: this.#pems.ca, servername: SERVER },
      timers: { retry: RETRY },
    })
  }

  async #startGateway() {
    const { certificate: cert_file, key: key_file } = this.#pems.of(SERVER)
    this.#gateway = await startGateway(this.#ends, this.#ends.gateway, {
      label: `gateway-${++this.#gateways}`,
      address: GATEWAY,
      udp: [500, 4500],
      tcp: [4500],
      tls: { ports: [443], cert_file, key_file },
    })
  }

  #gateway

  /** A client's label: its folder is where it keeps what it learns of networks, too. */
  #newMemory() {
    return `client-${++this.#clients}`
  }
}

const seconds = (milliseconds) => Math.round(milliseconds) / 1000

const since = (client, began) => seconds(Date.parse(client.events('transport-tried')[0].at) - began)

function timesOf({ at }, up, answered, { transport }) {
  const tried = Date.parse(at)
  return {
    trying: seconds(Date.parse(up) - tried),
    pingFromTrying: seconds(answered - tried),
    carriedIn: transport.replace(/\/\/.*$/, '//…'),
  }
}
