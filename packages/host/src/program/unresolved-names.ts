/** What `check-config` says of names in the file: those that do not resolve here and now. Elsewhere and later they may. */
import { isIP } from 'node:net'
import type { ClientConfig } from '../config/client-config.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { isThroughProxy } from '../config/transports.ts'
import { reasonOf } from '../host-error.ts'
import { type ProgramPorts, placesOfGateway } from './ports.ts'

type Resolvers = Pick<ProgramPorts, 'resolve' | 'resolveServices'>

/** One warning for each, with the key that it stands at. */
export async function unresolvedNames(config: ClientConfig | GatewayConfig, resolvers: Resolvers): Promise<string[]> {
  const looked = 'gateway' in config ? clientNames(config, resolvers) : gatewayNames(config, resolvers)
  const problems = await Promise.all(looked.map(({ key, looking }) => problemOf(config.file, key, looking)))
  return problems.flatMap((problem) => problem ?? [])
}

interface Looked {
  readonly key: string
  readonly looking: Promise<unknown>
}

/** A name that only proxies are told is theirs to resolve. */
function clientNames(config: ClientConfig, resolvers: Resolvers): Looked[] {
  const isOurs = !config.transports.every((option) => isThroughProxy(option, config))
  const proxies = Object.values(config.carriers).flatMap(({ via }) => (typeof via === 'object' ? [via.host] : []))
  return [
    ...(isOurs && isIP(config.gateway) === 0 ? [{ key: 'peer.gateway', looking: placesOfGateway(config, resolvers) }] : []),
    ...hosts('peer.transports', proxies, resolvers),
  ]
}

function gatewayNames({ web }: GatewayConfig, resolvers: Resolvers): Looked[] {
  return hosts('tls.fallback', web === undefined ? [] : [web.host], resolvers)
}

function hosts(key: string, names: readonly string[], { resolve }: Resolvers): Looked[] {
  return [...new Set(names)].filter((name) => isIP(name) === 0).map((name) => ({ key, looking: resolve(name) }))
}

async function problemOf(file: string, key: string, looking: Promise<unknown>): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no name server answered within ${PATIENCE / 1_000} s`), PATIENCE)
  })
  const reason = await Promise.race([looking.then(() => undefined, reasonOf), late])
  clearTimeout(timer)
  return reason === undefined ? undefined : `${file}: ${key}: ${reason}`
}

/** Milliseconds. */
const PATIENCE = 3_000
