import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { build } from './build.ts'

it('without koffi: imports, and throws UNAVAILABLE from the functions that load', async () => {
  build()
  // A copy away from every node_modules. The empty one keeps Bun from installing what it misses.
  const directory = mkdtempSync(join(tmpdir(), 'native-'))
  try {
    mkdirSync(join(directory, 'node_modules'))
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    for (const part of ['dist', 'src'])
      cpSync(fileURLToPath(new URL(`../${part}`, import.meta.url)), join(directory, part), { recursive: true })
    const native = await import(pathToFileURL(join(directory, 'dist', 'index.js')).href)
    for (const [load, why] of [
      [native.loadLibc, /koffi/],
      [native.loadLibcrypto, /koffi/],
      [native.loadIpsecMb, /koffi|linux x64|the CPU lacks/],
    ]) {
      let error: unknown
      try {
        load()
      } catch (caught) {
        error = caught
      }
      expect(error).toBeInstanceOf(native.NativeError)
      expect(error).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(why) })
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})
