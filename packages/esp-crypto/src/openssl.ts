import type { AeadProvider } from './aead.ts'
import { splitKeymat } from './keymat.ts'
import { type AeadLibrary, createNativeAead, loadNative } from './native-aead.ts'
import { nobleProvider } from './noble/provider.ts'
import { nodeProvider } from './node.ts'
import type { EspTransform } from './transform.ts'

/**
 * libcrypto's EVP interface: one context per key and direction, per packet only the IV is set, and data goes from where it is to where it belongs.
 * AEADs only; AES-CBC and NULL with HMAC are `./node`'s (noble's where the runtime lacks them).
 *
 * @throws EspCryptoError `PROVIDER_UNAVAILABLE` where @underpass/native, koffi or libcrypto cannot be loaded
 */
export function opensslProvider(): AeadProvider {
  const libcrypto = loadNative(NAME, ({ loadLibcrypto }) => loadLibcrypto())
  const probed = new Map<string, boolean>()
  return {
    name: NAME,
    supports(transform) {
      let isSupported = probed.get(transform.name)
      if (isSupported === undefined) {
        isSupported = transform.hash !== undefined || probe(libcrypto, transform)
        probed.set(transform.name, isSupported)
      }
      return isSupported
    },
    create(transform, keymat) {
      if (transform.hash !== undefined) return withHmacProvider(transform).create(transform, keymat)
      return createNativeAead(NAME, libcrypto, transform, splitKeymat(transform, keymat))
    },
  }
}

const NAME = 'openssl'

const withHmacProvider = (transform: EspTransform): AeadProvider => (nodeProvider.supports(transform) ? nodeProvider : nobleProvider)

function probe(libcrypto: AeadLibrary, transform: EspTransform): boolean {
  try {
    createNativeAead(NAME, libcrypto, transform, splitKeymat(transform, new Uint8Array(transform.keymatLength))).free()
    return true
  } catch {
    return false
  }
}
