// What a handshake costs: key exchange (initiate + complete), prf+, the key schedule, an IKE_AUTH-sized message under SK.
// Runs as it is on Bun, Deno and Node 22.18 or later.
import { bench, do_not_optimize, run, summary } from 'mitata'
import { childKeymat, ikeKeys, keyExchange, prf, prfPlus, skCipher, skeyseed } from '../src/index.ts'
import { nodeKeyExchange } from '../src/node.ts'

const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

for (const method of [14, 15, 16, 17, 18, 19, 20, 21, 31, 32]) {
  const noble = keyExchange(method)!
  const node = nodeKeyExchange(method)!
  const { publicValue } = noble.initiate(random)
  summary(() => {
    for (const [provider, exchange] of [['noble', noble] as const, [node === noble ? 'node (falls back)' : 'node', node] as const]) {
      bench(`${noble.name} initiate + complete, ${provider}`, () => {
        const { secret } = exchange.initiate(random)
        do_not_optimize(exchange.complete(secret, publicValue))
      })
    }
  })
}

const [ni, nr, shared] = [random(32), random(32), random(32)]
for (const id of [5, 7]) {
  const p = prf(id)!
  const cipher = skCipher(20, 256, undefined)!
  const seed = random(80)
  bench(`prf+ to 256 octets, ${p.name}`, () => do_not_optimize(prfPlus(p, shared, seed, 256)))
  bench(`SKEYSEED, seven IKE keys and KEYMAT for AES_GCM_16-256, ${p.name}`, () => {
    const keys = ikeKeys(p, cipher, skeyseed(p, ni, nr, shared), ni, nr, 1n, 2n)
    do_not_optimize(childKeymat(p, keys.skd, ni, nr, 72))
  })
}

for (const [encryption, keyLength, integrity] of [
  [20, 256, undefined],
  [16, 256, undefined],
  [28, undefined, undefined],
  [12, 256, 12],
] as const) {
  const cipher = skCipher(encryption, keyLength, integrity)!
  const keys = { encryption: random(cipher.encryptionKeyLength), integrity: random(cipher.integrityKeyLength) }
  const [iv, aad, plaintext] = [random(cipher.ivLength), random(32), random(512)]
  bench(`seal + open 512 octets, ${cipher.name}`, () => do_not_optimize(cipher.open(keys, iv, aad, cipher.seal(keys, iv, aad, plaintext))))
}

await run({ format: 'mitata' })
