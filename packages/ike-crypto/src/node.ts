/// <reference types="node" />
import { Buffer } from 'node:buffer'
import { createDiffieHellman, createECDH, createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import { versions } from 'node:process'
import { checkEcpPublic, type EcpMethod, ecpSecret } from './ecp.ts'
import { expectLength } from './error.ts'
import type { KeyExchange } from './key-exchange.ts'
import { keyExchange } from './key-exchange-table.ts'
import { checkModpPublic, type ModpMethod, modpGroup, modpSecret } from './modp.ts'
import { allZeroSecret, checkMontgomeryPublic, montgomerySecret } from './montgomery.ts'
import { bigintToOctets, concat, constantTimeEqual, padLeft } from './octets.ts'

/**
 * `keyExchange` over node:crypto: the same methods, values, secrets, checks and errors, only faster. A method that the runtime's
 * node:crypto lacks comes from `keyExchange` (P-521 on Deno, X448 and MODP on Bun).
 */
export function nodeKeyExchange(method: number): KeyExchange | undefined {
  if (!METHODS.has(method)) {
    const portable = keyExchange(method)
    const native = portable && ROWS[method]?.(portable)
    METHODS.set(method, native && agreesWithItself(native) ? native : portable)
  }
  return METHODS.get(method)
}

/** What a method differs in; the order of checks around it is the same for all. */
interface NodeMethod {
  readonly secretLength: number
  drawSecret(random: (length: number) => Uint8Array): Uint8Array
  publicOf(secret: Uint8Array): Uint8Array
  /** Throws INVALID_PUBLIC_VALUE. */
  check(peerPublic: Uint8Array): void
  /** After `check`. */
  agree(secret: Uint8Array, peerPublic: Uint8Array): Uint8Array
}

const METHODS: Map<number, KeyExchange | undefined> = new Map()

const ROWS: Readonly<Record<number, (portable: KeyExchange) => KeyExchange | undefined>> = {
  14: (portable) => modp(portable, 14),
  15: (portable) => modp(portable, 15),
  16: (portable) => modp(portable, 16),
  17: (portable) => modp(portable, 17),
  18: (portable) => modp(portable, 18),
  19: (portable) => ecp(portable, 19, 'prime256v1'),
  20: (portable) => ecp(portable, 20, 'secp384r1'),
  21: (portable) => ecp(portable, 21, 'secp521r1'),
  31: (portable) => montgomery(portable, 'X25519'),
  32: (portable) => montgomery(portable, 'X448'),
}

function exchange(portable: KeyExchange, node: NodeMethod): KeyExchange {
  const { method, name, publicLength, responseLength, isKem } = portable
  return {
    method,
    name,
    publicLength,
    responseLength,
    isKem,
    initiate(random) {
      const secret = node.drawSecret(random)
      return { publicValue: node.publicOf(secret), secret }
    },
    respond(random, peerPublic) {
      node.check(peerPublic)
      const secret = node.drawSecret(random)
      const sharedSecret = node.agree(secret, peerPublic)
      return { publicValue: node.publicOf(secret), sharedSecret }
    },
    complete(secret, peerPublic) {
      expectLength('secret', secret, node.secretLength)
      node.check(peerPublic)
      return node.agree(secret, peerPublic)
    },
  }
}

function modp(portable: KeyExchange, method: ModpMethod): KeyExchange | undefined {
  // BoringSSL proves the prime again for each object: half a second for MODP-2048, half a minute for MODP-8192.
  if (versions['boringssl'] !== undefined) return undefined
  const { name, publicLength } = portable
  const group = modpGroup(method)
  const prime = bigintToOctets(group.prime, publicLength)
  return exchange(portable, {
    secretLength: group.secretLength,
    drawSecret: (random) => modpSecret(group, name, random),
    publicOf(secret) {
      const dh = createDiffieHellman(prime, GENERATOR)
      dh.setPrivateKey(secret)
      // With a private key in place this computes the public one only, and without leading zeros.
      return octets(dh.generateKeys(), publicLength)
    },
    check: (peerPublic) => void checkModpPublic(group, name, peerPublic),
    agree(secret, peerPublic) {
      const dh = createDiffieHellman(prime, GENERATOR)
      dh.setPrivateKey(secret)
      return octets(dh.computeSecret(peerPublic), publicLength)
    },
  })
}

const GENERATOR: Uint8Array = Uint8Array.of(2)

function ecp(portable: KeyExchange, method: EcpMethod, curve: string): KeyExchange {
  const { name, publicLength } = portable
  const coordinateLength = publicLength / 2
  const privateKey = (secret: Uint8Array): ReturnType<typeof createECDH> => {
    const ecdh = createECDH(curve)
    ecdh.setPrivateKey(secret)
    return ecdh
  }
  return exchange(portable, {
    secretLength: coordinateLength,
    drawSecret: (random) => ecpSecret(method, name, random),
    publicOf: (secret) => octets(privateKey(secret).getPublicKey().subarray(1), publicLength),
    check: (peerPublic) => void checkEcpPublic(method, name, peerPublic),
    agree: (secret, peerPublic) => octets(privateKey(secret).computeSecret(concat(UNCOMPRESSED, peerPublic)), coordinateLength),
  })
}

const UNCOMPRESSED: Uint8Array = Uint8Array.of(0x04)

/**
 * `crv` is JWK's name of the curve (RFC 8037 §2). Keys go in and out as JWK and not as DER, which takes Node ten times as long: OpenSSL tries
 * every decoder it has. Node and the others compute the public value themselves, so the `x` of a private key may be left empty.
 */
function montgomery(portable: KeyExchange, crv: 'X25519' | 'X448'): KeyExchange {
  const { name, publicLength: length } = portable
  const jwk = (x: string, secret: { d?: string }) => ({ key: { kty: 'OKP', crv, x, ...secret }, format: 'jwk' as const })
  const privateKey = (secret: Uint8Array): KeyObject => createPrivateKey(jwk('', { d: base64url(secret) }))
  const publicKey = (value: Uint8Array): KeyObject => createPublicKey(jwk(base64url(value), {}))
  return exchange(portable, {
    secretLength: length,
    drawSecret: (random) => montgomerySecret(portable, random),
    publicOf(secret) {
      const { x } = createPublicKey(privateKey(secret)).export({ format: 'jwk' })
      return octets(Buffer.from(x ?? '', 'base64url'), length)
    },
    check: (peerPublic) => checkMontgomeryPublic(portable, peerPublic),
    agree(secret, peerPublic) {
      const keys = { privateKey: privateKey(secret), publicKey: publicKey(peerPublic) }
      let shared: Uint8Array
      try {
        shared = octets(diffieHellman(keys), length)
      } catch {
        // OpenSSL refuses to return the all-zero secret; it has nothing else to refuse here.
        throw allZeroSecret(name)
      }
      if (shared.every((octet) => octet === 0)) throw allZeroSecret(name)
      return shared
    },
  })
}

function base64url(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('base64url')
}

/** A plain array instead of a Buffer, with the zeros that some runtimes leave out on the left. */
function octets(buffer: Uint8Array, length: number): Uint8Array {
  return padLeft(Uint8Array.from(buffer), length)
}

/** False where node:crypto lacks the method, or draws a private key of its own instead of taking ours. Small secrets keep it cheap. */
function agreesWithItself(native: KeyExchange): boolean {
  const small = (value: number) => (length: number) => new Uint8Array(length).fill(value, length - 1)
  try {
    const initiator = native.initiate(small(2))
    const responder = native.respond(small(3), initiator.publicValue)
    return constantTimeEqual(native.complete(initiator.secret, responder.publicValue), responder.sharedSecret)
  } catch {
    return false
  }
}
