import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js'
import { expectLength, IkeCryptoError } from './error.ts'
import type { KeyExchange, RandomSource } from './key-exchange.ts'

/** d | z of FIPS 203 §7.1, of which both keys are made. */
const SEED_LENGTH = 64
/** m of FIPS 203 §7.2. */
const MESSAGE_LENGTH = 32

/**
 * ML-KEM (FIPS 203) as Key Exchange Method (draft-ietf-ipsecme-ikev2-mlkem §2): the initiator's public value is an encapsulation key, the
 * responder's a ciphertext. A `secret` is the seed. A ciphertext that was tampered with gives another shared secret and no error (§6.3,
 * implicit rejection): the keys made of it then fit nobody's.
 */
export const mlKem512: KeyExchange = mlKem(35, 'ML_KEM_512', ml_kem512)
export const mlKem768: KeyExchange = mlKem(36, 'ML_KEM_768', ml_kem768)
export const mlKem1024: KeyExchange = mlKem(37, 'ML_KEM_1024', ml_kem1024)

function mlKem(method: number, name: string, kem: typeof ml_kem768): KeyExchange {
  const publicLength = kem.lengths.publicKey!
  const responseLength = kem.lengths.cipherText!
  return {
    method,
    name,
    publicLength,
    responseLength,
    isKem: true,
    initiate(random) {
      const secret = draw(name, random, SEED_LENGTH)
      return { publicValue: kem.keygen(secret).publicKey, secret }
    },
    respond(random, peerPublic) {
      expectPublic(name, peerPublic, publicLength)
      const message = draw(name, random, MESSAGE_LENGTH)
      try {
        const { cipherText, sharedSecret } = kem.encapsulate(peerPublic, message)
        return { publicValue: cipherText, sharedSecret }
      } catch {
        // The length is right by now: what is refused is a coefficient that is not reduced (FIPS 203 §7.2, the modulus check).
        throw new IkeCryptoError('INVALID_PUBLIC_VALUE', { method: name, reason: 'OUT_OF_RANGE' })
      } finally {
        // With the public key it is the shared secret.
        message.fill(0)
      }
    },
    complete(secret, peerPublic) {
      expectLength('secret', secret, SEED_LENGTH)
      expectPublic(name, peerPublic, responseLength)
      const { secretKey } = kem.keygen(secret)
      const sharedSecret = kem.decapsulate(peerPublic, secretKey)
      secretKey.fill(0)
      return sharedSecret
    },
  }
}

function draw(method: string, random: RandomSource, length: number): Uint8Array {
  const octets = random(length)
  if (octets.length !== length) throw new IkeCryptoError('RANDOM_SOURCE_FAILED', { method })
  return octets
}

function expectPublic(method: string, value: Uint8Array, length: number): void {
  if (value.length !== length) throw new IkeCryptoError('INVALID_PUBLIC_VALUE', { method, reason: 'WRONG_LENGTH' })
}
