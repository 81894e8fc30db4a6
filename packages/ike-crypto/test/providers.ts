import { type KeyExchange, keyExchange } from '../src/index.ts'
import { nodeKeyExchange } from '../src/node.ts'

/** Both implementations pass the same tests. */
export const PROVIDERS: readonly (readonly [name: string, lookup: (method: number) => KeyExchange | undefined])[] = [
  ['noble', keyExchange],
  ['node:crypto', nodeKeyExchange],
]

/** Every method: Transform ID, IANA's name, octets of a public value and of g^ir. */
export const METHODS: readonly (readonly [method: number, name: string, publicLength: number, sharedLength: number])[] = [
  [14, 'MODP_2048', 256, 256],
  [15, 'MODP_3072', 384, 384],
  [16, 'MODP_4096', 512, 512],
  [17, 'MODP_6144', 768, 768],
  [18, 'MODP_8192', 1024, 1024],
  [19, 'ECP_256', 64, 32],
  [20, 'ECP_384', 96, 48],
  [21, 'ECP_521', 132, 66],
  [31, 'CURVE25519', 32, 32],
  [32, 'CURVE448', 56, 56],
]
