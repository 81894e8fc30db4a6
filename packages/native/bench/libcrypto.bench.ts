// One packet sealed, one opened, in place, and one empty system call. Runs as it is on Bun, Deno and Node 22.18 or later.
import { bench, group, run } from 'mitata'
import { type AeadCipher, loadLibc, loadLibcrypto } from '../src/index.ts'

const ALGORITHMS: readonly [AeadCipher, number][] = [
  ['aes-128-gcm', 16],
  ['aes-256-gcm', 32],
  ['chacha20-poly1305', 32],
]

const libcrypto = loadLibcrypto()
console.log(libcrypto.version)
for (const size of [64, 1400]) {
  group(`${size} B`, () => {
    for (const [cipher, keyLength] of ALGORITHMS) {
      const aead = libcrypto.createAead({ cipher, tagLength: 16, nonceLength: 12 }, new Uint8Array(keyLength))
      const nonce = new Uint8Array(12)
      const aad = new Uint8Array(8)
      const buffer = new Uint8Array(2048)
      const sealed = new Uint8Array(2048)
      aead.seal(nonce, aad, 8, sealed, 16, size)
      bench(`seal ${cipher}`, () => aead.seal(nonce, aad, 8, buffer, 16, size))
      bench(`open ${cipher} (with a copy of the packet)`, () => {
        buffer.set(sealed)
        if (!aead.open(nonce, aad, 8, buffer, 16, size)) throw new Error('does not verify')
      })
    }
  })
}

const libc = loadLibc()
const [readEnd] = libc.pipe()
const buffer = new Uint8Array(64)
bench('read(2) that has nothing to read', () => libc.read(readEnd, buffer, 0, 64))
await run()
