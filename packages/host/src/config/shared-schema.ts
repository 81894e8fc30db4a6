/** What client and gateway files have in common: the algorithms of a peer, the TUN device, the tables of numbers. */
import {
  DEFAULT_ESP_SUITES,
  DEFAULT_IKE_SUITES,
  DEFAULT_LIFETIMES,
  DEFAULT_LIMITS,
  DEFAULT_TIMERS,
  type EspSuite,
  type IkeSuite,
  type Lifetimes,
  type Limits,
  type PeerConfig,
  parseEspSuite,
  parseIkeSuite,
  type Timers,
} from '@underpass/session-manager'
import * as z from 'zod'
import { espSuites, ikeSuites } from './algorithms.ts'
import { duration, interfaceAddress, table } from './fields.ts'
import type { Findings } from './load.ts'
import { type Forbidden, type Policy, policyTable, readPolicy } from './policy.ts'
import { limits, timers } from './tunables.ts'

export type CryptoProviderName = 'auto' | 'noble' | 'node' | 'openssl' | 'ipsec-mb'

export interface TunConfig {
  /** 'packet': an AF_PACKET socket on a veth pair, where there is no /dev/net/tun. 'memory': no device at all. */
  readonly device: 'tun' | 'packet' | 'memory'
  readonly name: string
  /** Octets of the largest inner packet. */
  readonly mtu: number
  /** Put on the device at start, beside what is assigned by the peer. */
  readonly addresses: readonly string[]
}

/** Octets of SO_SNDBUF and SO_RCVBUF. Without: of TCP the kernel's own tuning, of UDP 4 MiB. */
export interface SocketBuffers {
  readonly sendBuffer?: number
  readonly receiveBuffer?: number
}

export interface SharedConfig {
  /** As given to `--config`. */
  readonly file: string
  readonly warnings: readonly string[]
  /** Path of the control socket; `undefined`: the program's default. */
  readonly control: string | undefined
  readonly tun: TunConfig
  readonly crypto: CryptoProviderName
  /** Of TCP connections, accepted and dialled; `undefined`: the kernel's default. */
  readonly congestionControl: string | undefined
  readonly tcpBuffers: SocketBuffers
  readonly udpBuffers: SocketBuffers
  /** What waits for a full connection is fewer TCP acknowledgements. */
  readonly thinsAcks: boolean
  /** One for each event loop, or none: the kernel chooses. */
  readonly cpus: readonly number[]
  readonly limits: Limits
  readonly timers: Timers
  /** What an administrator forbids. */
  readonly policy: Policy
}

/** A key for each of `T`'s, all of which may be left out. */
type Keys<T> = { readonly [K in keyof T]: z.ZodType<T[K] | undefined> }

type Written<T> = { readonly [K in keyof T]?: T[K] | undefined }

interface PeerKeys {
  readonly ike: readonly IkeSuite[]
  readonly esp: readonly EspSuite[]
  readonly esn: boolean
  readonly replay_window: number
  readonly path_checks: boolean
  readonly pfs: NonNullable<PeerConfig['pfs']>
  readonly ike_lifetime: number
  readonly child_lifetime: number
  readonly child_octets: number
  readonly child_packets: number
  readonly rekey_jitter: number
}

interface WrittenBuffers {
  readonly send_buffer?: number | undefined
  readonly receive_buffer?: number | undefined
}

interface SharedKeys {
  readonly control: string
  readonly cpus: readonly number[]
  readonly tun: {
    readonly device?: TunConfig['device'] | undefined
    readonly name?: string | undefined
    readonly mtu?: number | undefined
    readonly address?: readonly string[] | undefined
  }
  readonly provider: { readonly crypto?: CryptoProviderName | undefined }
  readonly tcp: { readonly congestion_control?: string | undefined; readonly thin_acks?: boolean | undefined } & WrittenBuffers
  readonly udp: WrittenBuffers
  readonly limits: Limits
  readonly timers: Timers
  readonly policy: { readonly forbid?: readonly Forbidden[] | undefined }
}

/** Shorter ones leave no time for what is refused and has to be asked again; timers hold 24 days. */
const lifetime = duration.refine((milliseconds) => milliseconds >= 60_000 && milliseconds <= 2_073_600_000, {
  error: 'is no lifetime for a key; write one of a minute at least and 24 days at most, such as "1h"',
})

/** Keys of one peer that mean the same on both sides. */
export const PEER_KEYS: Keys<PeerKeys> = {
  ike: ikeSuites.optional(),
  esp: espSuites.optional(),
  esn: z.boolean().optional(),
  replay_window: z.int().min(32).max(4096).optional(),
  path_checks: z.boolean().optional(),
  pfs: z.enum(['required', 'preferred', 'none']).optional(),
  ike_lifetime: lifetime.optional(),
  child_lifetime: lifetime.optional(),
  child_octets: z.int().min(1_048_576).optional(),
  child_packets: z.int().min(1_000).optional(),
  rekey_jitter: z.number().min(0).max(0.8).optional(),
}

/** The least that the kernel takes is about this; the most an int. */
const bufferOctets = z.int().min(4_096).max(0x3fff_ffff)
const BUFFER_KEYS = { send_buffer: bufferOctets.optional(), receive_buffer: bufferOctets.optional() }

/** Top-level keys of both files. */
export const SHARED_KEYS: Keys<SharedKeys> = {
  control: z.string().min(1).optional(),
  cpus: z.array(z.int().min(0).max(1_023)).optional(),
  tun: z
    .preprocess(
      // `tun = "memory"` is short for `[tun] device = "memory"`.
      (written) => (typeof written === 'string' ? { device: written } : written),
      table({
        device: z.enum(['tun', 'packet', 'memory']).optional(),
        name: z
          .string()
          .regex(/^[^\s/:%]{1,15}$/, { error: 'is not an interface name: 1 to 15 characters, no space, "/", ":" or "%"' })
          .optional(),
        mtu: z.int().min(576).max(65_535).optional(),
        address: z.array(interfaceAddress).optional(),
      }),
    )
    .optional(),
  provider: table({ crypto: z.enum(['auto', 'noble', 'node', 'openssl', 'ipsec-mb']).optional() }).optional(),
  tcp: table({
    congestion_control: z
      .string()
      .regex(/^[\w-]{1,15}$/, { error: 'is no name of a congestion control, such as "bbr" or "cubic"' })
      .optional(),
    thin_acks: z.boolean().optional(),
    ...BUFFER_KEYS,
  }).optional(),
  udp: table(BUFFER_KEYS).optional(),
  limits: limits.optional(),
  timers: timers.optional(),
  policy: policyTable,
}

/** `machinePolicy`: the path of that file. */
export function sharedConfig(
  written: Written<SharedKeys>,
  findings: Findings,
  { tunName, machinePolicy }: { readonly tunName: string; readonly machinePolicy: string },
): SharedConfig {
  return {
    file: findings.file,
    warnings: findings.warnings,
    control: written.control,
    tun: {
      device: written.tun?.device ?? 'tun',
      name: written.tun?.name ?? tunName,
      mtu: written.tun?.mtu ?? DEFAULT_MTU,
      addresses: written.tun?.address ?? [],
    },
    crypto: written.provider?.crypto ?? 'auto',
    congestionControl: written.tcp?.congestion_control,
    tcpBuffers: socketBuffers(written.tcp),
    udpBuffers: socketBuffers(written.udp),
    thinsAcks: written.tcp?.thin_acks ?? false,
    cpus: written.cpus ?? [],
    limits: written.limits ?? DEFAULT_LIMITS,
    timers: written.timers ?? DEFAULT_TIMERS,
    policy: readPolicy(written.policy, findings, machinePolicy),
  }
}

function socketBuffers({ send_buffer: send, receive_buffer: receive }: WrittenBuffers = {}): SocketBuffers {
  return { ...(send !== undefined && { sendBuffer: send }), ...(receive !== undefined && { receiveBuffer: receive }) }
}

export function peerAlgorithms(
  written: Written<PeerKeys>,
): Pick<PeerConfig, 'ikeProposals' | 'espProposals' | 'esn' | 'replayWindow' | 'pathChecks' | 'pfs' | 'lifetimes'> {
  return {
    ikeProposals: written.ike ?? DEFAULT_IKE_SUITES.map(parseIkeSuite),
    espProposals: written.esp ?? DEFAULT_ESP_SUITES.map(parseEspSuite),
    esn: written.esn ?? true,
    replayWindow: written.replay_window ?? DEFAULT_REPLAY_WINDOW,
    pathChecks: written.path_checks ?? true,
    pfs: written.pfs ?? 'preferred',
    lifetimes: lifetimesOf(written),
  }
}

function lifetimesOf(written: Written<PeerKeys>): Lifetimes {
  return {
    ikeSa: written.ike_lifetime ?? DEFAULT_LIFETIMES.ikeSa,
    childSa: written.child_lifetime ?? DEFAULT_LIFETIMES.childSa,
    childOctets: written.child_octets ?? DEFAULT_LIFETIMES.childOctets,
    childPackets: written.child_packets ?? DEFAULT_LIFETIMES.childPackets,
    jitter: written.rekey_jitter ?? DEFAULT_LIFETIMES.jitter,
  }
}

/** A CPU for each event loop, or none for any. */
export function checkCpus({ cpus }: Pick<SharedConfig, 'cpus'>, eventLoops: number, findings: Findings): void {
  if (cpus.length === 0) return
  if (new Set(cpus).size < cpus.length) findings.issue(['cpus'], `names a CPU twice: ${cpus.join(', ')}`)
  else if (cpus.length !== eventLoops)
    findings.issue(
      ['cpus'],
      eventLoops === 1
        ? `names ${cpus.length} CPUs, and there is one thread to keep on them; name one`
        : `names ${cpus.length} CPUs for ${eventLoops} workers; name one for each`,
    )
}

/** TCP carries packets of any size. */
export function warnOfMtu({ mtu }: TunConfig, withoutUdp: string, findings: Findings): void {
  if (mtu <= MAX_MTU_OVER_UDP) return
  findings.warn(
    ['tun', 'mtu'],
    `packets of up to ${mtu} octets do not fit into UDP on an ordinary path of 1500, and are fragmented or lost; set at most ${MAX_MTU_OVER_UDP}, or leave UDP out, as with ${withoutUdp}`,
  )
}

/** 1500 without 20 + 8 of IPv4 and UDP and 8 + 8 + 16 of AES-GCM's ESP is 1440, of which two are the trailer's. */
const MAX_MTU_OVER_UDP = 1438

/** Fits ESP in UDP in IPv6 on a 1500-octet path: 40 + 8 outside, 8 + 8 + 18 + padding for ESP, and some to spare. */
const DEFAULT_MTU = 1400

const DEFAULT_REPLAY_WINDOW = 1024
