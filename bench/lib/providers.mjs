import { nobleProvider } from '@underpass/esp-crypto'
import { ipsecMbProvider } from '@underpass/esp-crypto/ipsec-mb'
import { nodeProvider } from '@underpass/esp-crypto/node'
import { opensslProvider } from '@underpass/esp-crypto/openssl'

/** Those that run here, slowest first, and why another does not. */
export function aeadProviders() {
  const providers = [nobleProvider, nodeProvider]
  const missing = []
  for (const [library, load] of [
    ['libcrypto', opensslProvider],
    ['libIPSec_MB', ipsecMbProvider],
  ]) {
    try {
      providers.push(load())
    } catch (error) {
      missing.push(`${library} cannot be loaded here: ${error.message}`)
    }
  }
  return { providers, missing }
}

/** What the programs use unless told otherwise. */
export function fastestProvider() {
  return aeadProviders().providers.at(-1)
}

/** Encrypts nothing and believes everything: what is left is the cost of all but the cipher. */
export const noCipher = {
  name: 'no cipher',
  supports: () => true,
  create: ({ ivLength, icvLength }) => ({ ivLength, icvLength, seal() {}, open: () => true, sealFrom: move, openFrom: move }),
}

/** From one buffer to the other as a cipher would, that there is no copy which others are spared. */
function move(_iv, _aad, _aadLength, src, srcOffset, length, dst, dstOffset) {
  dst.set(src.subarray(srcOffset, srcOffset + length), dstOffset)
  return true
}
