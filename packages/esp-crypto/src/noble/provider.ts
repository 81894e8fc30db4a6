import type { Aead, AeadProvider } from '../aead.ts'
import { EspCryptoError } from '../error.ts'
import { type Keymat, splitKeymat } from '../keymat.ts'
import type { EspCipher, EspTransform } from '../transform.ts'
import { NobleCcm } from './ccm.ts'
import { NobleChacha20Poly1305 } from './chacha20-poly1305.ts'
import { NobleGcm } from './gcm.ts'
import { NobleCipherHmac } from './hmac.ts'

/** TypeScript alone, on the primitives of @noble/ciphers and @noble/hashes: every transform on every runtime, slowly. */
export const nobleProvider: AeadProvider = {
  name: 'noble',
  supports: (transform) => transform.cipher in CIPHERS,
  create(transform, keymat) {
    const make = CIPHERS[transform.cipher]
    if (!make) throw new EspCryptoError('TRANSFORM_UNSUPPORTED', { provider: 'noble', transform: transform.name })
    return make(transform, splitKeymat(transform, keymat))
  },
}

const withHmac = (transform: EspTransform, keymat: Keymat): Aead => {
  const { hash } = transform
  // E-6: without integrity there is no transform, whoever wrote the row.
  if (hash === undefined) throw new EspCryptoError('TRANSFORM_UNSUPPORTED', { provider: 'noble', transform: transform.name })
  return new NobleCipherHmac({ ...transform, hash }, keymat)
}

const CIPHERS: Readonly<Record<EspCipher, (transform: EspTransform, keymat: Keymat) => Aead>> = {
  'AES-GCM': (transform, keymat) => new NobleGcm(transform, keymat),
  'AES-GMAC': (transform, keymat) => new NobleGcm(transform, keymat),
  'AES-CCM': (transform, keymat) => new NobleCcm(transform, keymat),
  'CHACHA20-POLY1305': (_transform, keymat) => new NobleChacha20Poly1305(keymat),
  'AES-CBC': withHmac,
  NULL: withHmac,
}
