/** EAP with what the programs do it with: configurations, machines, sockets; a RADIUS server whose EAP is our own and whose sums are Node's. */
import { createSocket, type Socket } from 'node:dgram'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createEapServer, type EapMachine, type EapStep, mschapv2Server } from '@underpass/eap'
import { nobleProvider } from '@underpass/esp-crypto'
import { decodePacket } from '@underpass/radius'
import type { SessionEvent } from '@underpass/session-manager'
import { memoryTunPair } from '@underpass/tun-device'
import { afterEach, describe, expect, it } from 'vitest'
import { answerTo, isAuthentic, mppeKey } from '../../../radius/test/server.ts'
import { clientSessionConfig, gatewaySessionConfig, loadClientConfig, loadGatewayConfig } from '../../src/index.ts'
import { type Runtime, startRuntime } from '../../src/run/index.ts'
import { nodeRandom } from '../../src/run/random.ts'
import { temporaryDirectory } from '../temporary.ts'

const { forms } = JSON.parse(readFileSync(new URL('../../../certificates/test/vectors/keys.json', import.meta.url), 'utf8')) as {
  forms: Record<string, { pkcs8: string; spki: string }>
}
const SECRET = 'shared with the server'
const PASSWORD = 'the word of anna'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describe('RFC 7296 §2.16 (C-23) EAP over sockets', () => {
  it('(C-23): EAP-MSCHAPv2 with a user of the gateway’s own', async () => {
    const { gateway, client } = await pairOf('eap = { users_file = "users.toml" }')
    expect(await gateway.event('ike-sa-established')).toMatchObject({ remoteId: 'anna@example.org', eapIdentity: 'anna' })
    await client.event('child-sa-installed')
  })

  it('(C-23): a wrong password is told by both', async () => {
    const { gateway, client } = await pairOf('eap = { users_file = "users.toml" }', 'another word')
    expect(await gateway.event('authentication-failed')).toMatchObject({ detail: 'EAP failed: the password of "anna" is wrong' })
    expect(await client.event('authentication-failed')).toMatchObject({
      detail: expect.stringMatching(/the name or the password is wrong/),
    })
  })

  it('RFC 3579 §2 (C-23): a user of a RADIUS server, the second that is asked', async () => {
    const [silent, radius] = [await radiusServer(() => undefined), await radiusServer(new Authenticator().answer)]
    const { gateway, client } = await pairOf(`eap = { radius = true }\n${table(silent.port)}${table(radius.port)}`)
    expect(await gateway.event('ike-sa-established')).toMatchObject({ eapIdentity: 'anna of RADIUS' })
    expect(await client.event('addresses-assigned')).toMatchObject({ addresses: [{ address: '10.8.0.17' }] })
    expect(await client.event('child-sa-installed')).toMatchObject({ localTs: ['10.8.0.17/32'] })
    expect(silent.requests).toHaveLength(3)
    expect(new Set(silent.requests.map((octets) => octets.toString('hex'))).size).toBe(1)
    expect(radius.requests.every((octets) => isAuthentic(octets, Buffer.from(SECRET)))).toBe(true)
  }, 30_000)

  it('RFC 3579 §2.6 (C-23): who the server rejects is refused', async () => {
    const radius = await radiusServer(new Authenticator().answer)
    const { gateway } = await pairOf(`eap = { radius = true }\n${table(radius.port)}`, 'another word')
    expect(await gateway.event('authentication-failed')).toMatchObject({ detail: 'EAP failed: the RADIUS server rejects' })
  })

  it('RFC 3579 §3.2 (C-23): a server with another secret is not heard, and the line says what to look at', async () => {
    const radius = await radiusServer((request) => answerTo(request, 3, [], { secret: Buffer.from('another') }))
    const { gateway } = await pairOf(`eap = { radius = true }\n${table(radius.port)}`)
    const { detail } = await gateway.event('authentication-failed')
    expect(detail).toMatch(/RADIUS server 1 does not answer.*Response Authenticator is wrong: is the shared secret the same/)
  }, 30_000)
})

const table = (port: number): string => `[[radius]]\naddress = "127.0.0.1"\nport = ${port}\npsk = "${SECRET}"\n`

/** A RADIUS server's EAP, one conversation for each State. */
class Authenticator {
  readonly #conversations = new Map<string, EapMachine>()

  readonly answer = (request: Buffer): Uint8Array => {
    const { attributes } = decodePacket(request)
    const packet = Buffer.concat(attributes.flatMap(({ type, value }) => (type === 79 ? [value] : [])))
    const state = attributes.find(({ type }) => type === 24)?.value
    const known = state && this.#conversations.get(Buffer.from(state).toString('hex'))
    return this.#say(request, known ? known.receive(packet) : this.#begin(packet), state)
  }

  /** The NAS has asked who it is. */
  #begin(identity: Buffer): EapStep {
    const user = { password: Buffer.from(PASSWORD) }
    const machine = createEapServer({ methods: [mschapv2Server({ name: 'aaa' })], users: { find: () => user }, random: nodeRandom })
    const asked = machine.start()
    this.#last = machine
    return machine.receive(identity.with(1, asked.kind === 'send' ? asked.packet[1]! : 0))
  }

  #last: EapMachine | undefined

  #say(request: Buffer, step: EapStep, known: Uint8Array | undefined): Uint8Array {
    const secret = Buffer.from(SECRET)
    const eap = 'packet' in step && step.packet ? [{ type: 79, value: step.packet }] : []
    switch (step.kind) {
      case 'send': {
        const state = known ?? nodeRandom(8)
        if (!known) this.#conversations.set(Buffer.from(state).toString('hex'), this.#last!)
        return answerTo(request, 11, [...eap, { type: 24, value: state }], { secret })
      }
      case 'success': {
        const keys = [mppeKey(request, 17, step.msk!.subarray(0, 16), secret), mppeKey(request, 16, step.msk!.subarray(16, 32), secret)]
        return answerTo(
          request,
          2,
          [...eap, ...keys, { type: 1, value: Buffer.from('anna of RADIUS') }, { type: 8, value: Uint8Array.of(10, 8, 0, 17) }],
          { secret },
        )
      }
      default:
        return answerTo(request, 3, eap, { secret })
    }
  }
}

async function radiusServer(answer: (request: Buffer) => Uint8Array | undefined): Promise<{ port: number; requests: Buffer[] }> {
  const socket: Socket = createSocket('udp4')
  const requests: Buffer[] = []
  socket.on('message', (request, from) => {
    requests.push(Buffer.from(request))
    const octets = answer(request)
    if (octets) socket.send(octets, from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  closing.push(() => socket.close())
  return { port: socket.address().port, requests }
}

interface Side {
  readonly runtime: Runtime
  event<Kind extends SessionEvent['kind']>(kind: Kind): Promise<Extract<SessionEvent, { kind: Kind }>>
}

async function pairOf(eap: string, password = PASSWORD): Promise<{ gateway: Side; client: Side }> {
  const folder = temporaryDirectory()
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 })
    return join(folder, name)
  }
  write('own.key', forms['ec']!.pkcs8)
  write('own.pub', `-----BEGIN PUBLIC KEY-----\n${forms['ec']!.spki}\n-----END PUBLIC KEY-----\n`)
  write('users.toml', `[[user]]\nname = "anna"\npassword = "${PASSWORD}"\n`)
  const gatewayConfig = loadGatewayConfig(
    write(
      'gateway.toml',
      `[listen]\naddress = ["127.0.0.1"]\n[[connection]]\nname = "road"\nlocal_id = "@gw"\nremote_id = "any"\nauth = "certificate"\nkey = "own.key"\nremote_auth = "eap"\npool = { ranges = ["10.8.0.10-10.8.0.20"] }\n${eap}\n`,
    ),
  )
  const gateway = await side(gatewaySessionConfig(gatewayConfig), gatewayConfig.signatures, true)
  const { port } = gateway.runtime.listening.tcp[0]!
  const clientConfig = loadClientConfig(
    write(
      'client.toml',
      `[peer]\ngateway = "127.0.0.1"\ntransports = ["tcp:${port}"]\nlocal_id = "anna@example.org"\nauth = "eap"\npublic_keys = ["own.pub"]\neap = { method = "mschapv2", identity = "anna", password = "${password}" }\n`,
    ),
  )
  const client = await side(clientSessionConfig(clientConfig, [{ address: '127.0.0.1' }]), clientConfig.signatures, false)
  client.runtime.driver.command({ kind: 'initiate', peer: clientConfig.peer.name })
  return { gateway, client }
}

async function side(
  sessionConfig: ReturnType<typeof gatewaySessionConfig>,
  credentials: ReturnType<typeof loadGatewayConfig>['signatures'],
  listens: boolean,
): Promise<Side> {
  const [host, tun] = memoryTunPair()
  const runtime = await startRuntime({
    sessionConfig: { ...sessionConfig, aeadProvider: nobleProvider },
    listeners: { tcp: listens ? [{ address: '127.0.0.1', port: 0, framing: 'rfc9329' }] : [], udp: [] },
    credentials,
    tun,
  })
  closing.push(async () => {
    await runtime.close({ graceMilliseconds: 200 })
    tun.close()
    host.close()
  })
  const seen: SessionEvent[] = []
  let heard = (): void => {}
  runtime.driver.onEvent((event) => {
    seen.push(event)
    heard()
  })
  return {
    runtime,
    async event(kind) {
      for (;;) {
        const found = seen.find((one) => one.kind === kind)
        if (found) return found as never
        await new Promise<void>((resolve) => {
          heard = resolve
        })
      }
    },
  }
}
