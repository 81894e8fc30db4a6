import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type ClientConfig, loadClientConfig } from '../../src/index.ts'
import { temporaryFile } from '../temporary.ts'
import { secretOf } from './secret-of.ts'

describe('RFC 7296 §2.15: shared secrets', () => {
  it('(C-22) text of 64 and more ASCII octets is taken as it is, without a terminator', () => {
    const text = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i)).join('')
    const psk = secretOf(load(`psk = '''${text.replaceAll("'", '')}'''`).peer)
    expect(String.fromCharCode(...psk)).toBe(text.replaceAll("'", ''))
  })

  it('(C-22) hex is taken as the octets it spells', () => {
    expect(secretOf(load('psk = "0x00ff10A0000102030405060708090a0b"').peer)).toEqual(
      Uint8Array.of(0, 255, 16, 160, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
    )
  })

  it('text beyond ASCII is UTF-8', () => {
    expect(secretOf(load('psk = "schlüssel-für-alle"').peer)).toEqual(new TextEncoder().encode('schlüssel-für-alle'))
  })

  it('a file beside the configuration holds either, and its last line end does not count', () => {
    for (const [content, length] of [
      ['sixteen octets!!\n', 16],
      ['sixteen octets!!\r\n', 16],
      ['sixteen octets! \n\n', 17],
      ['0x000102030405060708090a0b0c0d0e0f\n', 16],
    ] as const) {
      const file = temporaryFile('client.toml', peer('psk_file = "my.psk"'))
      writeFileSync(join(dirname(file), 'my.psk'), content, { mode: 0o600 })
      const config = loadClientConfig(file)
      expect(secretOf(config.peer)).toHaveLength(length)
      expect(config.warnings).toEqual([])
    }
  })

  it('warns of a secret that everyone on the machine can read', () => {
    const inline = temporaryFile('client.toml', peer('psk = "0123456789abcdef"'), 0o644)
    expect(loadClientConfig(inline).warnings.join()).toMatch(
      /client\.toml:4: peer\.psk: everyone on this machine can read it; chmod 600 \/.*client\.toml$/,
    )
    const file = temporaryFile('client.toml', peer('psk_file = "my.psk"'), 0o644)
    writeFileSync(join(dirname(file), 'my.psk'), '0123456789abcdef', { mode: 0o644 })
    expect(loadClientConfig(file).warnings).toEqual([
      expect.stringMatching(/:4: peer\.psk_file: everyone on this machine can read my\.psk; chmod 600 /),
    ])
  })

  it('warns of a short one', () => {
    expect(load('psk = "fifteen-octets!"').warnings).toEqual([expect.stringContaining(':4: peer.psk: has 15 octets')])
  })

  it('refuses an empty one and a file that is not there', () => {
    expect(() => load('psk = ""')).toThrow(':4: peer.psk: is empty')
    expect(() => load('psk_file = "none"')).toThrow(':4: peer.psk_file: cannot be read: ENOENT')
  })
})

function peer(secret: string): string {
  return `[peer]\ngateway = "192.0.2.9"\nlocal_id = "@me"\n${secret}\n`
}

function load(secret: string): ClientConfig {
  return loadClientConfig(temporaryFile('client.toml', peer(secret)))
}
