/** The gateway's file: where it listens, which peers it knows (the PAD of RFC 4301 §4.4.3) and what they may reach. */
import {
  describeIdentity,
  type Identity,
  MAX_SHARDS,
  type PeerConfig,
  type PoolConfig,
  type SessionConfig,
} from '@underpass/session-manager'
import * as z from 'zod'
import { formatIp, type IpRange, parseIp, parseIpRange } from '../ip-prefix.ts'
import { isWildcard } from '../run/addresses.ts'
import { leasableAddresses } from '../workers/pool-slices.ts'
import { warnOfAlgorithms } from './algorithms.ts'
import {
  AUTH_KEYS,
  type Credentials,
  localKind,
  mergedCredentials,
  NO_CREDENTIALS,
  needsSecret,
  readAuthentication,
  remoteKind,
} from './authentication.ts'
import { dscp } from './dscp.ts'
import { gatewayEap, readGatewayEap } from './eap.ts'
import { address, domain, EVEN_IF_WRONG, framing, identity, prefix, subnet, table } from './fields.ts'
import { type GatewayTls, gatewayTls, readGatewayTls, type WebServer } from './gateway-tls.ts'
import { listener, readListeners, type TcpListener, type UdpListener, type WrittenListen } from './listeners.ts'
import { type Findings, loadConfig, type Mistake, withoutHeading } from './load.ts'
import { describeForbidden, MACHINE_POLICY, type Policy, whyKindForbidden } from './policy.ts'
import { readPpk } from './ppk.ts'
import { type RadiusSettings, radiusServers, readRadius } from './radius.ts'
import { requireSecret, SECRET_KEYS } from './secrets.ts'
import { checkCpus, PEER_KEYS, peerAlgorithms, SHARED_KEYS, type SharedConfig, sharedConfig, warnOfMtu } from './shared-schema.ts'

export type { TcpListener, UdpListener } from './listeners.ts'

export interface GatewayConfig extends SharedConfig {
  readonly udp: readonly UdpListener[]
  readonly tcp: readonly TcpListener[]
  /** Where one of them has TLS. */
  readonly tls: GatewayTls | undefined
  readonly web: WebServer | undefined
  /** Where connections come from that begin with a PROXY header. */
  readonly proxies: readonly string[]
  readonly peers: readonly PeerConfig[]
  /** For the crypto port. */
  readonly signatures: Credentials
  /** Threads that share the work. */
  readonly workers: number
  /** Give clients a token by which they know at once that this gateway has lost their IKE SA (RFC 6290). */
  readonly detectsCrashes: boolean
  /** Turn on the host's IP forwarding while running. */
  readonly forwarding: boolean
  /** Route the pools and the peers' subnets to the TUN. */
  readonly routes: boolean
}

/** Throws `HostError` CONFIG_UNREADABLE or CONFIG_INVALID. */
export function loadGatewayConfig(file: string, machinePolicy: string = MACHINE_POLICY): GatewayConfig {
  return loadConfig(file, GATEWAY_FILE, (written, findings) => build(written, findings, machinePolicy), mistaken)
}

export function gatewaySessionConfig(config: GatewayConfig): Omit<SessionConfig, 'aeadProvider'> {
  return { peers: config.peers, limits: config.limits, timers: config.timers, acceptsPeers: true, thinsAcks: config.thinsAcks }
}

const CONNECTION_SHAPE = {
  ...SECRET_KEYS,
  ...AUTH_KEYS,
  ...PEER_KEYS,
  name: z.string().min(1),
  local_id: identity,
  remote_id: z.union([z.literal('any').transform(() => []), identity.transform((one) => [one]), z.array(identity).min(1)]).optional(),
  eap: gatewayEap.optional(),
  local_addresses: z.array(subnet).min(1).optional(),
  remote_addresses: z.array(subnet).min(1).optional(),
  local: z.array(subnet).min(1).optional(),
  remote: z.array(subnet).min(1).optional(),
  pool: table({
    ranges: z.array(subnet).min(1).max(2),
    dns: z.array(address).optional(),
    subnets: z.array(prefix).optional(),
    domains: z.array(domain).optional(),
    p_cscf: z.array(address).optional(),
  }).optional(),
}

const CONNECTION = table(CONNECTION_SHAPE).superRefine((written, context) => {
  if (written.pool !== undefined) return
  for (const key of ['local', 'remote'] as const)
    if (written[key] === undefined) context.addIssue({ code: 'custom', path: [key], message: 'is required without a pool' })
}, EVEN_IF_WRONG)

const GATEWAY_FILE = table({
  ...SHARED_KEYS,
  workers: z.int().min(1).max(MAX_SHARDS).optional(),
  crash_detection: z.boolean().optional(),
  listen: table({
    address: z.array(address).min(1).optional(),
    udp: z.array(listener).optional(),
    tcp: z.array(listener).optional(),
    tls: z.array(listener).optional(),
    framing: framing.optional(),
    dscp: dscp.optional(),
    proxy_protocol: z.array(subnet).min(1).optional(),
    additional_addresses: z.array(address).max(8).optional(),
  }).optional(),
  tls: gatewayTls.optional(),
  // A file without one is told what would have to be in it.
  connection: z.preprocess((written) => written ?? [{}], z.array(CONNECTION, { error: listOfTables('connection') }).min(1)),
  // Not shown: who writes `secret = "…"` means it.
  secret: z
    .array(table({ ...SECRET_KEYS, id: identity }).superRefine(requireSecret, EVEN_IF_WRONG), { error: listOfTables('secret') })
    .optional(),
  radius: radiusServers.optional(),
  network: table({ forwarding: z.boolean().optional(), routes: z.boolean().optional() }).optional(),
}).superRefine(({ connection, secret }, context) => {
  if (!Array.isArray(connection) || (secret !== undefined && (!Array.isArray(secret) || secret.length > 0))) return
  for (const [i, { psk, psk_file, remote_id, auth, remote_auth }] of connection.entries())
    if (needsSecret({ auth, remote_auth }) && psk === undefined && psk_file === undefined && (remote_id ?? []).length === 0)
      context.addIssue({ code: 'custom', path: ['connection', i], message: 'has no psk and there is no [[secret]]' })
}, EVEN_IF_WRONG)

function listOfTables(name: string): (issue: { readonly code?: string }) => string | undefined {
  return ({ code }) => (code === 'invalid_type' ? `is not a list of tables; write [[${name}]]` : undefined)
}

type WrittenGateway = z.output<typeof GATEWAY_FILE>
type WrittenConnection = WrittenGateway['connection'][number]

interface Secret {
  readonly id: Identity
  readonly psk: Uint8Array
}

function mistaken(parsed: Readonly<Record<string, unknown>>): Mistake | undefined {
  if ('connection' in parsed) return undefined
  if ('peer' in parsed) return { path: ['peer'], message: "this is a client's file, for underpass; a gateway's has a [[connection]]" }
  return withoutHeading(parsed, '[[connection]]', Object.keys(CONNECTION_SHAPE))
}

function build(written: WrittenGateway, findings: Findings, machinePolicy: string): GatewayConfig {
  const { listen, network } = written
  const shared = sharedConfig(written, findings, { tunName: 'underpass-gw0', machinePolicy })
  const { udp, tcp } = readListeners(allowed(listen ?? {}, shared.policy, findings), findings)
  const secrets = readSecrets(written, findings)
  const additional = listen?.additional_addresses ? { additionalAddresses: listen.additional_addresses } : {}
  const radius = readRadius(written.radius, findings)
  const served = written.connection.map((connection, i) => peersOf(connection, i, { secrets, additional, radius }, findings))
  const peers = served.flatMap((connection) => connection.peers)
  checkDistinct(written, peers, findings)
  checkPools(written, findings)
  const config = {
    ...shared,
    udp,
    tcp,
    tls: readGatewayTls(
      written.tls,
      tcp.some(({ isTls }) => isTls),
      findings,
    ),
    web: written.tls?.fallback,
    proxies: findings.subnets(['listen', 'proxy_protocol'], listen?.proxy_protocol ?? []),
    peers,
    signatures: mergedCredentials([{ ...NO_CREDENTIALS, radius }, ...served.map(({ credentials }) => credentials)]),
    workers: written.workers ?? 1,
    detectsCrashes: written.crash_detection ?? true,
    forwarding: network?.forwarding ?? false,
    routes: network?.routes ?? true,
  }
  if ((listen?.additional_addresses ?? []).length > 0 && udp.some(({ address: at }) => at === undefined || isWildcard(at)))
    findings.warn(
      ['listen', 'additional_addresses'],
      'are not heard from over UDP: a listener of every address answers from the one that the kernel picks (RFC 7296 §2.11); name each address of this gateway in listen.address',
    )
  if (udp.length > 0) warnOfMtu(config.tun, 'listen.udp = []', findings)
  checkWorkers(written, config, findings)
  checkCpus(config, config.workers, findings)
  findings.ofCore(gatewaySessionConfig(config))
  return config
}

/** What is written and forbidden is an error; of what is not written, the rest is taken. */
function allowed(listen: WrittenListen, policy: Policy, findings: Findings): WrittenListen {
  const left = { ...listen }
  for (const kind of ['udp', 'tcp', 'tls'] as const) {
    const reason = whyKindForbidden(kind, policy)
    if (reason === undefined) continue
    if ((listen[kind] ?? []).length > 0) findings.issue(['listen', kind], reason)
    else left[kind] = []
  }
  const isNowhere = left.udp?.length === 0 && left.tcp?.length === 0 && (left.tls ?? []).length === 0
  if (isNowhere && describeForbidden(policy) !== '')
    findings.issue(['listen'], `could be for what is forbidden alone: ${describeForbidden(policy)}`)
  return left
}

function readSecrets(written: WrittenGateway, findings: Findings): Secret[] {
  const secrets: Secret[] = []
  for (const [i, secret] of (written.secret ?? []).entries()) {
    const psk = findings.secret(['secret', i], secret)
    if (!secrets.some(({ id }) => isSame(id, secret.id))) secrets.push({ id: secret.id, psk })
    else findings.issue(['secret', i, 'id'], `${describeIdentity(secret.id)} has a secret already`)
  }
  return secrets
}

/** What all connections have. */
interface OfAll {
  readonly secrets: readonly Secret[]
  readonly additional: Pick<PeerConfig, 'additionalAddresses'>
  readonly radius: readonly RadiusSettings[]
}

/** One peer for each identity that the connection admits; they share its pool, which is one object for all of them. */
function peersOf(
  written: WrittenConnection,
  index: number,
  { secrets, additional, radius }: OfAll,
  findings: Findings,
): { readonly peers: PeerConfig[]; readonly credentials: Credentials } {
  const at = ['connection', index]
  const pool: PoolConfig | undefined = written.pool && {
    ranges: findings.subnets([...at, 'pool', 'ranges'], written.pool.ranges),
    dns: written.pool.dns ?? [],
    subnets: findings.subnets([...at, 'pool', 'subnets'], written.pool.subnets ?? []),
    ...(written.pool.domains && { domains: written.pool.domains }),
    ...(written.pool.p_cscf && { pCscf: written.pool.p_cscf }),
  }
  if (pool?.domains && pool.dns.length === 0)
    findings.issue([...at, 'pool', 'domains'], 'needs name servers that know them: add dns (RFC 8598 §3.2)')
  if (pool && written.remote)
    findings.issue([...at, 'remote'], 'cannot stand beside a pool: the assigned address is all that is on the other side')
  const local = written.local && findings.subnets([...at, 'local'], written.local)
  const remote = written.remote && findings.subnets([...at, 'remote'], written.remote)
  const algorithms = peerAlgorithms(written)
  const ppk = readPpk([...at, 'ppk'], written.ppk, findings)
  warnOfAlgorithms(at, algorithms, findings)
  const localAddresses = written.local_addresses && findings.subnets([...at, 'local_addresses'], written.local_addresses)
  const remoteAddresses = written.remote_addresses && findings.subnets([...at, 'remote_addresses'], written.remote_addresses)
  const admitted = admittedBy(written, index, secrets, findings)
  const kinds = { local: localKind(written), remote: remoteKind(written) }
  const eap = readGatewayEap(at, written.eap, kinds, { name: describeIdentity(written.local_id), radius }, findings)
  const { authFor, credentials } = readAuthentication(
    at,
    written,
    { name: written.name, localId: written.local_id, role: 'responder', eap },
    findings,
  )
  const peers = admitted.map(({ id, psk }) => ({
    name: admitted.length > 1 && id ? `${written.name}/${describeIdentity(id)}` : written.name,
    localId: written.local_id,
    remoteId: id,
    auth: authFor(psk),
    ...ppk,
    ...algorithms,
    ...(localAddresses && { localAddresses }),
    ...(remoteAddresses && { remoteAddresses }),
    dial: undefined,
    localSubnets: local ?? everythingFor(pool),
    remoteSubnets: remote ?? ('virtual' as const),
    requestAddresses: [],
    pool,
    ...additional,
  }))
  return { peers, credentials }
}

function admittedBy(
  written: WrittenConnection,
  index: number,
  secrets: readonly Secret[],
  findings: Findings,
): { id: Identity | undefined; psk: Uint8Array }[] {
  const ids = written.remote_id ?? []
  if (!needsSecret(written)) return (ids.length === 0 ? [undefined] : ids).map((id) => ({ id, psk: new Uint8Array(0) }))
  if (written.psk !== undefined || written.psk_file !== undefined) {
    const psk = findings.secret(['connection', index], written)
    return ids.length === 0 ? [{ id: undefined, psk }] : ids.map((id) => ({ id, psk }))
  }
  if (ids.length === 0) return [...secrets]
  return ids.map((id) => {
    const secret = secrets.find((one) => isSame(one.id, id))
    if (!secret)
      findings.issue(['connection', index, 'remote_id'], `has no secret for ${describeIdentity(id)}: add psk here or a [[secret]]`)
    return secret ?? { id, psk: new Uint8Array(0) }
  })
}

/** A peer is told by its names; two with the same would make which one answers an accident of order. */
function checkDistinct(written: WrittenGateway, peers: readonly PeerConfig[], findings: Findings): void {
  const names = new Set<string>()
  for (const [i, { name }] of written.connection.entries()) {
    if (names.has(name)) findings.issue(['connection', i, 'name'], `${JSON.stringify(name)} is the name of another connection`)
    names.add(name)
  }
  const pairs = new Map<string, string>()
  for (const peer of peers) {
    const pair = `${describeIdentity(peer.localId)} for ${peer.remoteId ? describeIdentity(peer.remoteId) : 'any identity'}${callersOf(peer)}`
    const first = pairs.get(pair)
    if (first !== undefined) findings.issue(['connection'], `${JSON.stringify(first)} and ${JSON.stringify(peer.name)} are both ${pair}`)
    pairs.set(pair, peer.name)
  }
}

function callersOf({ localAddresses, remoteAddresses }: PeerConfig): string {
  return [remoteAddresses && ` from ${remoteAddresses.join(', ')}`, localAddresses && ` at ${localAddresses.join(', ')}`].join('')
}

/** Each connection leases on its own: an address in two pools would be two peers' at once. */
function checkPools(written: WrittenGateway, findings: Findings): void {
  const taken: { readonly name: string; readonly text: string; readonly range: IpRange }[] = []
  const own = (written.tun?.address ?? []).map((text) => parseIp(text.split('/')[0]!)!)
  for (const [i, { name, pool }] of written.connection.entries()) {
    for (const [j, text] of (pool?.ranges ?? []).entries()) {
      const range = parseIpRange(text)!
      const other = taken.find((one) => overlap(one.range, range))
      if (other)
        findings.issue(
          ['connection', i, 'pool', 'ranges', j],
          `${JSON.stringify(text)} overlaps ${JSON.stringify(other.text)} of ${JSON.stringify(other.name)}`,
        )
      for (const address of own.filter((one) => overlap(range, { family: one.family, first: one.value, last: one.value })))
        findings.issue(
          ['connection', i, 'pool', 'ranges', j],
          `pool range ${JSON.stringify(text)} contains the gateway's own tunnel address ${formatIp(address)}`,
        )
      taken.push({ name, text, range })
    }
  }
}

function checkWorkers(written: WrittenGateway, { workers, tun }: Pick<GatewayConfig, 'workers' | 'tun'>, findings: Findings): void {
  if (workers === 1) return
  if (tun.device !== 'tun')
    findings.issue(['workers'], `${workers} workers need the device "tun", which has a queue for each; "${tun.device}" has one`)
  for (const [i, { pool }] of written.connection.entries())
    for (const [j, text] of (pool?.ranges ?? []).entries())
      if (leasableAddresses(text) < BigInt(workers))
        findings.issue(
          ['connection', i, 'pool', 'ranges', j],
          `${JSON.stringify(text)} has no address for each of ${workers} workers, which lease from slices of their own`,
        )
}

function overlap(a: IpRange, b: IpRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last
}

function isSame(a: Identity, b: Identity): boolean {
  return a.idType === b.idType && describeIdentity(a) === describeIdentity(b)
}

function everythingFor(pool: PoolConfig | undefined): string[] {
  return pool?.ranges.some((range) => range.includes(':')) ? ['0.0.0.0/0', '::/0'] : ['0.0.0.0/0']
}
