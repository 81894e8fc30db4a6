import { unsafe } from '@noble/ciphers/aes.js'

// noble's modes expand the key at every call and return new arrays; its block function, under a key that was expanded once,
// is what an SA needs. The block is four words in little-endian order, whatever the machine's.

/** An expanded AES key. */
export type AesKey = Uint32Array

export const expandEncryptionKey = (key: Uint8Array): AesKey => unsafe.expandKeyLE(key)
export const expandDecryptionKey = (key: Uint8Array): AesKey => unsafe.expandKeyDecLE(key)
export const encryptBlock: typeof unsafe.encrypt = unsafe.encrypt

export function readWord(buffer: Uint8Array, offset: number): number {
  return buffer[offset]! | (buffer[offset + 1]! << 8) | (buffer[offset + 2]! << 16) | (buffer[offset + 3]! << 24)
}

export function writeWord(buffer: Uint8Array, offset: number, word: number): void {
  buffer[offset] = word
  buffer[offset + 1] = word >>> 8
  buffer[offset + 2] = word >>> 16
  buffer[offset + 3] = word >>> 24
}

/** The last word of a counter block, whose 32 bits are big-endian (RFC 4309 §4, SP 800-38D §6.2). */
export function counterWord(counter: number): number {
  return ((counter & 0xff) << 24) | ((counter & 0xff00) << 8) | ((counter >>> 8) & 0xff00) | (counter >>> 24)
}

/** Counter mode in place; the counter blocks are `prefix`, 12 octets, and a 32-bit counter that starts at `counter`. */
export function ctr(key: AesKey, prefix: Uint8Array, counter: number, buffer: Uint8Array, offset: number, length: number): void {
  const w0 = readWord(prefix, 0)
  const w1 = readWord(prefix, 4)
  const w2 = readWord(prefix, 8)
  const end = offset + length
  let at = offset
  for (; at + 16 <= end; at += 16) {
    const { s0, s1, s2, s3 } = encryptBlock(key, w0, w1, w2, counterWord(counter++))
    writeWord(buffer, at, readWord(buffer, at) ^ s0)
    writeWord(buffer, at + 4, readWord(buffer, at + 4) ^ s1)
    writeWord(buffer, at + 8, readWord(buffer, at + 8) ^ s2)
    writeWord(buffer, at + 12, readWord(buffer, at + 12) ^ s3)
  }
  if (at === end) return
  const { s0, s1, s2, s3 } = encryptBlock(key, w0, w1, w2, counterWord(counter))
  for (let i = 0; at < end; at++, i++) {
    const word = i < 4 ? s0 : i < 8 ? s1 : i < 12 ? s2 : s3
    buffer[at] = buffer[at]! ^ (word >>> (8 * (i & 3)))
  }
}

/** CBC in place, whole blocks only (RFC 3602). */
export function cbcEncrypt(key: AesKey, iv: Uint8Array, buffer: Uint8Array, offset: number, length: number): void {
  let c0 = readWord(iv, 0)
  let c1 = readWord(iv, 4)
  let c2 = readWord(iv, 8)
  let c3 = readWord(iv, 12)
  for (let at = offset; at < offset + length; at += 16) {
    c0 ^= readWord(buffer, at)
    c1 ^= readWord(buffer, at + 4)
    c2 ^= readWord(buffer, at + 8)
    c3 ^= readWord(buffer, at + 12)
    ;({ s0: c0, s1: c1, s2: c2, s3: c3 } = encryptBlock(key, c0, c1, c2, c3))
    writeWord(buffer, at, c0)
    writeWord(buffer, at + 4, c1)
    writeWord(buffer, at + 8, c2)
    writeWord(buffer, at + 12, c3)
  }
}

/** @param key from {@link expandDecryptionKey} */
export function cbcDecrypt(key: AesKey, iv: Uint8Array, buffer: Uint8Array, offset: number, length: number): void {
  let c0 = readWord(iv, 0)
  let c1 = readWord(iv, 4)
  let c2 = readWord(iv, 8)
  let c3 = readWord(iv, 12)
  for (let at = offset; at < offset + length; at += 16) {
    const n0 = readWord(buffer, at)
    const n1 = readWord(buffer, at + 4)
    const n2 = readWord(buffer, at + 8)
    const n3 = readWord(buffer, at + 12)
    const { s0, s1, s2, s3 } = unsafe.decrypt(key, n0, n1, n2, n3)
    writeWord(buffer, at, s0 ^ c0)
    writeWord(buffer, at + 4, s1 ^ c1)
    writeWord(buffer, at + 8, s2 ^ c2)
    writeWord(buffer, at + 12, s3 ^ c3)
    c0 = n0
    c1 = n1
    c2 = n2
    c3 = n3
  }
}
