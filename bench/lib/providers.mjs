import { nobleProvider } from '@underpass/esp-crypto'
import { nodeProvider } from '@underpass/esp-crypto/node'
import { opensslProvider } from '@underpass/esp-crypto/openssl'

/** Those that run here, slowest first, and why another does not. */
export function aeadProviders() {
  try {
    return { providers: [nobleProvider, nodeProvider, opensslProvider()], missing: [] }
  } catch (error) {
    return { providers: [nobleProvider, nodeProvider], missing: [`libcrypto cannot be loaded here: ${error.message}`] }
  }
}

/** What the programs use unless told otherwise. */
export function fastestProvider() {
  return aeadProviders().providers.at(-1)
}

/** Encrypts nothing and believes everything: what is left is the cost of all but the cipher. */
export const noCipher = {
  name: 'no cipher',
  supports: () => true,
  create: ({ ivLength, icvLength }) => ({ ivLength, icvLength, seal() {}, open: () => true }),
}
