import { type AeadProvider, EspCryptoError, type EspTransform, espTransform, nobleProvider } from '@underpass/esp-crypto'
import { ipsecMbProvider } from '@underpass/esp-crypto/ipsec-mb'
import { nodeProvider } from '@underpass/esp-crypto/node'
import { opensslProvider } from '@underpass/esp-crypto/openssl'
import { reasonOf } from '../host-error.ts'

export interface ChosenAeadProvider {
  readonly provider: AeadProvider
  /** For the log: which, and why. */
  readonly reason: string
}

/**
 * Who makes the ESP ciphers. 'auto' takes the fastest that works here, and for a transform which that one lacks the next.
 *
 * @throws EspCryptoError `PROVIDER_UNAVAILABLE` where a provider that was asked for by name cannot run here
 */
export function chooseAeadProvider(choice: 'auto' | 'ipsec-mb' | 'openssl' | 'node' | 'noble'): ChosenAeadProvider {
  switch (choice) {
    case 'ipsec-mb':
      return { provider: ipsecMbProvider(), reason: 'ipsec-mb: configured' }
    case 'openssl':
      return { provider: opensslProvider(), reason: 'openssl: configured' }
    case 'node':
      if (!isNodeUsable()) throw new EspCryptoError('PROVIDER_UNAVAILABLE', { provider: 'node', reason: NODE_UNUSABLE })
      return { provider: nodeProvider, reason: 'node: configured' }
    case 'noble':
      return { provider: nobleProvider, reason: 'noble: configured' }
    case 'auto':
      return choose()
  }
}

function choose(): ChosenAeadProvider {
  try {
    // It has the others' transforms too.
    return { provider: ipsecMbProvider(), reason: 'ipsec-mb: the fastest, and libIPSec_MB is here' }
  } catch (error) {
    return chooseWithoutIpsecMb(isIpsecMbMissing(error))
  }
}

/** False where it is the CPU that lacks something: then there is nothing to install. */
function isIpsecMbMissing(error: unknown): boolean {
  return error instanceof EspCryptoError && 'missing' in error.context && error.context.missing === 'libIPSec_MB'
}

function chooseWithoutIpsecMb(isMissing: boolean): ChosenAeadProvider {
  const portable = isNodeUsable() ? [nodeProvider, nobleProvider] : [nobleProvider]
  try {
    const provider = firstThatSupports([opensslProvider(), ...portable])
    const reason = isMissing ? 'libcrypto is here; AES-GCM would be faster with libipsec-mb1' : 'the fastest, and libcrypto is here'
    return { provider, reason: `openssl: ${reason}` }
  } catch (error) {
    const why = error instanceof EspCryptoError && 'reason' in error.context ? error.context.reason : reasonOf(error)
    const rest = portable[0] === nodeProvider ? '' : `, nor node (${NODE_UNUSABLE})`
    return { provider: firstThatSupports(portable), reason: `${portable[0]!.name}: openssl is not available (${why})${rest}` }
  }
}

/** Goes by the name of the first, which does nearly all of the work. */
function firstThatSupports(providers: readonly AeadProvider[]): AeadProvider {
  const find = (transform: EspTransform): AeadProvider | undefined => providers.find((provider) => provider.supports(transform))
  return {
    name: providers[0]!.name,
    supports: (transform) => find(transform) !== undefined,
    create: (transform, keymat) => (find(transform) ?? providers[0]!).create(transform, keymat),
  }
}

function isNodeUsable(): boolean {
  return nodeProvider.supports(espTransform(ENCR_AES_GCM_16, 256, undefined)!)
}

const ENCR_AES_GCM_16 = 20
const NODE_UNUSABLE = 'node:crypto of this runtime does not pass the AES-256-GCM check'
