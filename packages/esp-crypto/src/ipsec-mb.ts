import type { AeadProvider } from './aead.ts'
import { splitKeymat } from './keymat.ts'
import { createNativeAead, loadNative } from './native-aead.ts'
import { nobleProvider } from './noble/provider.ts'
import { nodeProvider } from './node.ts'
import { opensslProvider } from './openssl.ts'
import type { EspTransform } from './transform.ts'

/**
 * AES-GCM and AES-GMAC by Intel's libIPSec_MB: one call a packet, with the CPU's widest instructions. Every other transform is
 * `./openssl`'s where that loads, else `./node`'s, else noble's.
 *
 * @throws EspCryptoError `PROVIDER_UNAVAILABLE` where @underpass/native, koffi or libIPSec_MB cannot be loaded, or the CPU is of another kind
 */
export function ipsecMbProvider(): AeadProvider {
  const library = loadNative(NAME, ({ loadIpsecMb }) => loadIpsecMb())
  // The last of them has every transform.
  const others = [...openssl(), nodeProvider, nobleProvider]
  return {
    name: NAME,
    supports: (transform) => isGcm(transform) || others.some((provider) => provider.supports(transform)),
    create(transform, keymat) {
      if (isGcm(transform)) return createNativeAead(NAME, library, transform, splitKeymat(transform, keymat))
      return (others.find((provider) => provider.supports(transform)) ?? nobleProvider).create(transform, keymat)
    },
  }
}

const NAME = 'ipsec-mb'

const isGcm = ({ cipher }: EspTransform): boolean => cipher === 'AES-GCM' || cipher === 'AES-GMAC'

function openssl(): AeadProvider[] {
  try {
    return [opensslProvider()]
  } catch {
    return []
  }
}
