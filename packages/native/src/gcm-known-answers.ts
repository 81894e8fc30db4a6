import type { AeadAlgorithm, AeadCipher, NativeAead } from './aead.ts'
import { NativeError } from './native-error.ts'

/**
 * Seals and opens test cases 4, 10 and 16 of the GCM specification (McGrew and Viega, Appendix B), one for each key length.
 *
 * @throws NativeError `UNAVAILABLE` when an answer is wrong, or a forged tag is believed
 */
export function checkGcmKnownAnswers(who: string, createAead: (algorithm: AeadAlgorithm, key: Uint8Array) => NativeAead): void {
  for (const { cipher, key, sealed } of ANSWERS) {
    const aead = createAead({ cipher, tagLength: TAG_LENGTH, nonceLength: NONCE.length }, key)
    const isRight = givesAnswer(aead, sealed)
    aead.free()
    if (!isRight) throw new NativeError('UNAVAILABLE', `${who} gives a wrong answer for ${cipher}`, { subject: cipher })
  }
}

function givesAnswer(aead: NativeAead, sealed: Uint8Array): boolean {
  const { length } = PLAINTEXT
  const packet = new Uint8Array(sealed.length)
  const opened = new Uint8Array(length)
  aead.seal(NONCE, AAD, AAD.length, PLAINTEXT, 0, length, packet, 0)
  if (!isSame(packet, sealed)) return false
  if (!aead.open(NONCE, AAD, AAD.length, packet, 0, length, opened, 0) || !isSame(opened, PLAINTEXT)) return false
  packet[packet.length - 1] ^= 1
  return !aead.open(NONCE, AAD, AAD.length, packet, 0, length, opened, 0)
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((octet, i) => octet === b[i])
const octets = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))

const TAG_LENGTH = 16
const NONCE = octets('cafebabefacedbaddecaf888')
const AAD = octets('feedfacedeadbeeffeedfacedeadbeefabaddad2')
const PLAINTEXT = octets(
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
)

const ANSWERS: readonly { readonly cipher: AeadCipher; readonly key: Uint8Array; readonly sealed: Uint8Array }[] = [
  {
    cipher: 'aes-128-gcm',
    key: octets('feffe9928665731c6d6a8f9467308308'),
    sealed: octets(
      '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091' +
        '5bc94fbc3221a5db94fae95ae7121a47',
    ),
  },
  {
    cipher: 'aes-192-gcm',
    key: octets('feffe9928665731c6d6a8f9467308308feffe9928665731c'),
    sealed: octets(
      '3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710' +
        '2519498e80f1478f37ba55bd6d27618c',
    ),
  },
  {
    cipher: 'aes-256-gcm',
    key: octets('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
    sealed: octets(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
        '76fc6ece0f4e1768cddf8853bb2d551b',
    ),
  },
]
