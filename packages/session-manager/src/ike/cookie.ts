/**
 * Stateless cookies (RFC 7296 §2.6): <version> | HMAC(secret, Ni | IPi | SPIi). The Initiator's port is not in it, so that a
 * cookie can come back on another TCP connection (RFC 9329 §6.3, T-CK-3).
 */
import { NotifyType, type Payload, PrfId } from '@underpass/ike-codec'
import { constantTimeEqual, prf } from '@underpass/ike-crypto'
import type { RandomSource } from '../contract.ts'
import { parseAddress } from '../ip-address.ts'
import { concat, u32 } from '../octets.ts'

const SECRET_LIFETIME = 60_000

interface Secret {
  readonly version: number
  readonly key: Uint8Array
  readonly since: number
}

export class CookieJar {
  readonly #random: RandomSource
  #current: Secret | undefined
  #previous: Secret | undefined

  constructor(random: RandomSource) {
    this.#random = random
  }

  /** The cookie to ask for. `now` in milliseconds; the secret changes every minute and the last one stays good for one more. */
  bake(nonce: Uint8Array, address: string, initiatorSpi: bigint, now: number): Uint8Array {
    if (this.#current === undefined || now - this.#current.since >= SECRET_LIFETIME) {
      this.#previous = this.#current
      this.#current = { version: (this.#previous?.version ?? 0) + 1, key: this.#random(32), since: now }
    }
    return cookieFor(this.#current, nonce, address, initiatorSpi)
  }

  /** Whether this is a cookie of ours; a wrong one counts as none (C-12). */
  isOurs(cookie: Uint8Array, nonce: Uint8Array, address: string, initiatorSpi: bigint, now: number): boolean {
    return [this.#current, this.#previous].some(
      (secret) =>
        secret !== undefined &&
        now - secret.since < 2 * SECRET_LIFETIME &&
        constantTimeEqual(cookie, cookieFor(secret, nonce, address, initiatorSpi)),
    )
  }
}

/** The COOKIE notify's data, 1 to 64 octets, or `undefined`. */
export function cookieIn(payloads: readonly Payload[]): Uint8Array | undefined {
  for (const payload of payloads) {
    if (payload.type === 'N' && payload.notifyType === NotifyType.COOKIE && payload.data.length >= 1 && payload.data.length <= 64)
      return payload.data
  }
  return undefined
}

function cookieFor(secret: Secret, nonce: Uint8Array, address: string, initiatorSpi: bigint): Uint8Array {
  const hmac = prf(PrfId.PRF_HMAC_SHA2_256)!
  const spi = concat(u32(Number(initiatorSpi >> 32n)), u32(Number(initiatorSpi & 0xffffffffn)))
  return concat(u32(secret.version), hmac.compute(secret.key, nonce, parseAddress(address) ?? new Uint8Array(0), spi))
}
