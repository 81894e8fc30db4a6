import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HostError } from '../../src/index.ts'
import { crashSecret, crashSecretPath } from '../../src/run/crash-secret.ts'
import { temporaryDirectory } from '../temporary.ts'

const refusal = (file: string): string => {
  try {
    crashSecret(file)
    return 'it was taken'
  } catch (error) {
    return error instanceof HostError && error.code === 'CRASH_SECRET_UNUSABLE' ? error.message : String(error)
  }
}

describe('RFC 6290 §5.1 the secret of quick crash detection', () => {
  it('RFC 6290 §5.1: is made once, of 32 random octets, and is the same ever after; for nobody else to read', () => {
    const file = join(temporaryDirectory(), 'underpass', 'secret')
    const made = crashSecret(file)
    expect(made).toHaveLength(32)
    expect(crashSecret(file)).toEqual(made)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(crashSecret(join(temporaryDirectory(), 'other'))).not.toEqual(made)
  })

  it('RFC 6290 §9.2: two gateways of one machine have each their own', () => {
    const env = { XDG_STATE_HOME: '/state' }
    expect(crashSecretPath(env, '/run/a.sock')).toMatch(/^\/state\/underpass\/crash-secret-[0-9a-f]{16}$/)
    expect(crashSecretPath(env, '/run/a.sock')).not.toBe(crashSecretPath(env, '/run/b.sock'))
  })

  it('RFC 6290 §9.1: one that others can read, that is cut short or is nowhere to be written is none, and why is told', () => {
    const directory = temporaryDirectory()
    const file = join(directory, 'secret')
    crashSecret(file)
    chmodSync(file, 0o644)
    expect(refusal(file)).toMatch(/can be read by others/)
    writeFileSync(file, 'short')
    chmodSync(file, 0o600)
    expect(refusal(file)).toMatch(/has 5 octets and not 32/)
    writeFileSync(join(directory, 'plain'), '')
    expect(refusal(join(directory, 'plain', 'secret'))).toMatch(/cannot be written/)
  })
})
