/** The client's file: one gateway, how to reach it, who we are, what goes through the tunnel. */
import { isDeepStrictEqual } from 'node:util'
import type { DialConfig, Identity, PeerConfig, SessionConfig } from '@underpass/session-manager'
import * as z from 'zod'
import { parseIp } from '../ip-prefix.ts'
import { addressesIn, type Place } from '../names/places.ts'
import { warnOfAlgorithms } from './algorithms.ts'
import { AUTH_KEYS, type Credentials, localKind, needsSecret, readAuthentication, remoteKind } from './authentication.ts'
import { type ClientTls, clientTls, readClientTls } from './client-tls.ts'
import { dscp } from './dscp.ts'
import { clientEap, readClientEap } from './eap.ts'
import { EVEN_IF_WRONG, framing, fttKeepalive, host, identity, subnet, table } from './fields.ts'
import { type Findings, loadConfig, type Mistake, withoutHeading } from './load.ts'
import { describeForbidden, MACHINE_POLICY, type Policy, whyForbidden } from './policy.ts'
import { readPpk } from './ppk.ts'
import { requireSecret, SECRET_KEYS } from './secrets.ts'
import { checkCpus, PEER_KEYS, peerAlgorithms, SHARED_KEYS, type SharedConfig, sharedConfig, warnOfMtu } from './shared-schema.ts'
import {
  type ChosenTransports,
  describeWritten,
  isSameWay,
  isThroughProxy,
  transport,
  transportOption,
  transportsTo,
  type WrittenTransport,
} from './transports.ts'

/** What is done with the DNS servers that the gateway names. */
export type DnsHandling = 'report' | 'resolvectl' | 'resolv-conf'

/** 'negotiated': the remote traffic selectors of the Child SA. */
export type RouteChoice = 'negotiated' | 'none' | readonly string[]

export interface ClientConfig extends SharedConfig, ChosenTransports {
  /** Name or address, as written. */
  readonly gateway: string
  /** It is a domain whose SRV records say where the gateway is. */
  readonly isDomain: boolean
  readonly tls: ClientTls
  /** Of every packet to the gateway; `undefined`: the system's default, 0. */
  readonly dscp: number | undefined
  /** For the crypto port. */
  readonly signatures: Credentials
  /** All of the peer but where it is dialled, which takes an address. */
  readonly peer: Omit<PeerConfig, 'dial'>
  readonly keepRetrying: boolean
  readonly routes: RouteChoice
  readonly dns: DnsHandling
  /** What is learnt of networks is kept on disk. */
  readonly remembersNetworks: boolean
}

/** Throws `HostError` CONFIG_UNREADABLE or CONFIG_INVALID. */
export function loadClientConfig(file: string, machinePolicy: string = MACHINE_POLICY): ClientConfig {
  return loadConfig(file, CLIENT_FILE, (written, findings) => build(written, findings, machinePolicy), mistaken)
}

/** What the core is given, once it is known where the gateway is: nowhere, where all that is tried goes through proxies. */
export function clientSessionConfig(config: ClientConfig, places: readonly Place[]): Omit<SessionConfig, 'aeadProvider'> {
  const dial: DialConfig = { address: addressesIn(places)[0] ?? NOWHERE, transports: transportsTo(places, config) }
  const peer: PeerConfig = { ...config.peer, dial }
  return { peers: [peer], limits: config.limits, timers: config.timers, acceptsPeers: false, thinsAcks: config.thinsAcks }
}

const PEER_SHAPE = {
  ...SECRET_KEYS,
  ...AUTH_KEYS,
  ...PEER_KEYS,
  eap: clientEap.optional(),
  name: z.string().min(1).optional(),
  gateway: host,
  srv: z.boolean().optional(),
  transports: z.array(transport).min(1).optional(),
  framing: framing.optional(),
  ftt_keepalive: fttKeepalive.optional(),
  dscp: dscp.optional(),
  tls: clientTls.optional(),
  local_id: identity,
  remote_id: z.union([z.literal('any'), identity]).optional(),
  request_addresses: z.array(z.enum(['ipv4', 'ipv6'])).optional(),
  request_p_cscf: z.boolean().optional(),
  local: z.array(subnet).min(1).optional(),
  remote: z.array(subnet).min(1).optional(),
}

const PEER = table(PEER_SHAPE).superRefine((written, context) => {
  if (needsSecret(written)) requireSecret(written, context)
}, EVEN_IF_WRONG)

const CLIENT_FILE = table({
  ...SHARED_KEYS,
  keep_retrying: z.boolean().optional(),
  // A file without the table is told what would have to be in it.
  peer: z.preprocess((written) => written ?? {}, PEER),
  network: table({
    routes: z
      .union([z.enum(['negotiated', 'none']), z.array(subnet)], { error: 'is neither "negotiated", "none" nor a list of subnets' })
      .optional(),
    dns: z.enum(['report', 'resolvectl', 'resolv-conf']).optional(),
    remember: z.boolean().optional(),
  }).optional(),
})

type WrittenClient = z.output<typeof CLIENT_FILE>

function mistaken(parsed: Readonly<Record<string, unknown>>): Mistake | undefined {
  if ('peer' in parsed) return undefined
  const gateways = ['connection', 'secret', 'listen'].find((key) => key in parsed)
  if (gateways !== undefined)
    return { path: [gateways], message: "this is a gateway's file, for underpass-gateway; a client's has a [peer]" }
  return withoutHeading(parsed, '[peer]', Object.keys(PEER_SHAPE))
}

function build(written: WrittenClient, findings: Findings, machinePolicy: string): ClientConfig {
  const { peer, network } = written
  const secret = needsSecret(peer) ? findings.secret(['peer'], peer) : new Uint8Array(0)
  const name = peer.name ?? peer.gateway
  const eap = readClientEap(['peer'], peer.eap, { local: localKind(peer), remote: remoteKind(peer) }, findings)
  const { authFor, credentials } = readAuthentication(['peer'], peer, { name, localId: peer.local_id, role: 'initiator', eap }, findings)
  if (peer.local && (peer.request_addresses?.length ?? 0) > 0) {
    findings.issue(['peer', 'local'], 'cannot stand beside request_addresses: an assigned address is all that is on this side')
  }
  const requestAddresses = peer.request_addresses ?? (peer.local ? [] : ['ipv4' as const])
  if (!peer.local && requestAddresses.length === 0)
    findings.issue(['peer', 'request_addresses'], 'is empty and there is no local: nothing would be on this side')
  const local = peer.local && findings.subnets(['peer', 'local'], peer.local)
  const remote = peer.remote && findings.subnets(['peer', 'remote'], peer.remote)
  const routes = network?.routes ?? 'negotiated'
  const profile = peer.framing ?? 'rfc9329'
  const shared = sharedConfig(written, findings, { tunName: 'underpass0', machinePolicy })
  const algorithms = peerAlgorithms(peer)
  warnOfAlgorithms(['peer'], algorithms, findings)
  const options = allowed(peer.transports, shared.policy, findings).map((one, i, all) => {
    const described = transportOption(one, profile)
    const name = describeWritten(described.option)
    const before = all.slice(0, i).findIndex((other) => isDeepStrictEqual(transportOption(other, profile), described))
    if (before >= 0)
      findings.issue(['peer', 'transports', i], `${name} is the same as ${name} of peer.transports[${before}]: leave one of them out`)
    else if (all.slice(0, i).some((other) => isSameWay(one, other)))
      findings.issue(['peer', 'transports', i], 'is there already, for another user or with another framing')
    return described
  })
  const transports = options.map(({ option }) => option)
  if (peer.ftt_keepalive !== undefined && !transports.some((one) => one.transport === 'tcp' && one.framing === '3gpp-ftt'))
    findings.warn(['peer', 'ftt_keepalive'], 'is for the framing "3gpp-ftt", which none of the transports has')
  const carriers = Object.fromEntries(
    options.flatMap(({ option, carrier }) => (carrier && 'carrier' in option ? [[option.carrier as string, carrier]] : [])),
  )
  const config: ClientConfig = {
    ...shared,
    gateway: peer.gateway,
    isDomain: peer.srv ?? false,
    takesPorts: peer.transports === undefined,
    transports,
    carriers,
    tls: readClientTls(peer.tls, findings),
    dscp: peer.dscp,
    signatures: credentials,
    peer: {
      name,
      localId: peer.local_id,
      remoteId: anyIdentity(peer.remote_id),
      auth: authFor(secret),
      ...readPpk(['peer', 'ppk'], peer.ppk, findings),
      ...algorithms,
      localSubnets: local ?? 'virtual',
      remoteSubnets: remote ?? everything(requestAddresses),
      requestAddresses,
      ...(peer.request_p_cscf !== undefined && { requestsPCscf: peer.request_p_cscf }),
      pool: undefined,
      ...(peer.ftt_keepalive && { fttKeepalive: peer.ftt_keepalive }),
    },
    keepRetrying: written.keep_retrying ?? false,
    routes: typeof routes === 'string' ? routes : findings.subnets(['network', 'routes'], routes),
    dns: network?.dns ?? 'report',
    remembersNetworks: network?.remember ?? true,
  }
  if (transports.some(({ transport: one }) => one === 'udp')) warnOfMtu(config.tun, 'transports = ["tcp:4500"]', findings)
  checkCpus(config, 1, findings)
  if (config.isDomain) checkDomain(config, findings)
  findings.ofCore(clientSessionConfig(config, [{ address: parseIp(peer.gateway) ? peer.gateway : NOWHERE }]))
  return config
}

/** In the place of a name that is only looked up when it is dialled, or whose address is a proxy's to find (RFC 5737). */
const NOWHERE = '192.0.2.1'

/** RFC 2782: of a domain; and a proxy is told a name, behind which it finds addresses. */
function checkDomain({ gateway, transports, carriers }: ClientConfig, findings: Findings): void {
  if (parseIp(gateway)) findings.issue(['peer', 'srv'], `asks for the SRV records of a domain, and ${gateway} is an address`)
  for (const [i, option] of transports.entries())
    if (isThroughProxy(option, { carriers }))
      findings.issue(['peer', 'transports', i], 'goes through a proxy, which knows nothing of SRV records (srv)')
}

/** What is written and forbidden is an error; of what is not written, the rest is taken. */
function allowed(written: readonly WrittenTransport[] | undefined, policy: Policy, findings: Findings): readonly WrittenTransport[] {
  if (written) {
    for (const [i, one] of written.entries()) {
      const reason = whyForbidden(one, policy)
      if (reason !== undefined) findings.issue(['peer', 'transports', i], reason)
    }
    return written
  }
  const left = DEFAULT_TRANSPORTS.filter((one) => whyForbidden(one, policy) === undefined)
  if (left.length > 0) return left
  findings.issue(['peer'], `has no transports, and the usual ones are forbidden: ${describeForbidden(policy)}`)
  return DEFAULT_TRANSPORTS
}

/** UDP first (RFC 9329 §5.1), then TCP on the port that is expected to be there. */
const DEFAULT_TRANSPORTS = [
  { transport: 'udp', port: 500, natPort: 4500 },
  { transport: 'tcp', port: 4500, framing: undefined, isTls: false, via: undefined },
] as const

function anyIdentity(written: 'any' | Identity | undefined): Identity | undefined {
  return written === 'any' ? undefined : written
}

function everything(families: readonly ('ipv4' | 'ipv6')[]): string[] {
  const all = families.length === 0 ? (['ipv4', 'ipv6'] as const) : families
  return all.map((family) => (family === 'ipv4' ? '0.0.0.0/0' : '::/0'))
}
