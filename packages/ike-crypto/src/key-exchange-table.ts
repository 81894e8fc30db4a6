import { ecp } from './ecp.ts'
import type { KeyExchange } from './key-exchange.ts'
import { mlKem512, mlKem768, mlKem1024 } from './ml-kem.ts'
import { modp } from './modp.ts'
import { x448, x25519 } from './montgomery.ts'

/** The method of a Transform ID, or `undefined` where this package has none. MODP-768…1536 and 22–24 are left out (RFC 8247 §2.4). */
export function keyExchange(method: number): KeyExchange | undefined {
  return METHODS.get(method)
}

const METHODS: ReadonlyMap<number, KeyExchange> = new Map(
  [
    modp(14, 'MODP_2048'),
    modp(15, 'MODP_3072'),
    modp(16, 'MODP_4096'),
    modp(17, 'MODP_6144'),
    modp(18, 'MODP_8192'),
    ecp(19, 'ECP_256'),
    ecp(20, 'ECP_384'),
    ecp(21, 'ECP_521'),
    x25519,
    x448,
    mlKem512,
    mlKem768,
    mlKem1024,
  ].map((row) => [row.method, row]),
)
