// What a handshake is made of: both halves of a key exchange, the key schedule, a message under SK.
import { childKeymat, ikeKeys, keyExchange, prf, skCipher, skeyseed } from '@underpass/ike-crypto'
import { nodeKeyExchange } from '@underpass/ike-crypto/node'
import { random } from '../lib/cores.mjs'
import { interleave } from '../lib/measure.mjs'

const METHODS = [14, 15, 19, 20, 31]

export function run({ quick }) {
  const cases = [...METHODS.flatMap(exchanging), scheduling(), ...sealing()]
  const results = interleave(cases, quick ? { rounds: 3, milliseconds: 40 } : { rounds: 7, milliseconds: 150 })
  const rows = results.map(({ case: { what, provider }, perSecond, perCpuSecond }) => ({ what, provider, perSecond, perCpuSecond }))
  return { rows, notes: [] }
}

function exchanging(method) {
  const noble = keyExchange(method)
  const node = nodeKeyExchange(method)
  const { publicValue } = noble.initiate(random)
  return [
    ['noble', noble],
    ['node', node],
  ]
    .filter(([provider, exchange]) => provider === 'noble' || exchange !== noble)
    .map(([provider, exchange]) => ({
      what: `key exchange ${noble.name}, initiate and complete`,
      provider,
      work() {
        exchange.complete(exchange.initiate(random).secret, publicValue)
        return 1
      },
    }))
}

function scheduling() {
  const hmac = prf(5)
  const cipher = skCipher(20, 256, undefined)
  const [ni, nr, shared] = [random(32), random(32), random(32)]
  return {
    what: 'SKEYSEED, the seven keys of an IKE SA and the KEYMAT of a Child SA, HMAC-SHA2-256',
    provider: 'noble',
    work() {
      const { skd } = ikeKeys(hmac, cipher, skeyseed(hmac, ni, nr, shared), ni, nr, 1n, 2n)
      childKeymat(hmac, skd, ni, nr, 72)
      return 1
    },
  }
}

function sealing() {
  return [
    ['AES-256-GCM', skCipher(20, 256, undefined)],
    ['AES-256-CBC with HMAC-SHA2-256-128', skCipher(12, 256, 12)],
  ].map(([name, cipher]) => {
    const keys = { encryption: random(cipher.encryptionKeyLength), integrity: random(cipher.integrityKeyLength) }
    const [iv, aad, plaintext] = [random(cipher.ivLength), random(32), random(512)]
    return {
      what: `seal and open of 512 octets under SK, ${name}`,
      provider: 'noble',
      work() {
        if (cipher.open(keys, iv, aad, cipher.seal(keys, iv, aad, plaintext)) === undefined) throw new Error('does not verify')
        return 1
      },
    }
  })
}
