import { espTransform } from '@underpass/esp-crypto'
import { describe, expect, it } from 'vitest'
import { chooseAeadProvider, cryptoPort, nodeClock, nodeRandom } from '../../src/run/index.ts'

describe('nodeClock', () => {
  it('wakes at the time asked for, and not when cancelled', async () => {
    const clock = nodeClock()
    const start = clock.now()
    const cancel = clock.schedule(start + 5, () => expect.unreachable())
    cancel()
    await new Promise<void>((resolve) => void clock.schedule(start + 20, resolve))
    expect(clock.now() - start).toBeGreaterThanOrEqual(18)
  })

  it('takes times further off than a timer can hold, and ones that have passed', async () => {
    const clock = nodeClock()
    let isEarly = false
    const cancel = clock.schedule(clock.now() + 2 ** 40, () => {
      isEarly = true
    })
    await new Promise<void>((resolve) => void clock.schedule(0, resolve))
    await new Promise((resolve) => setTimeout(resolve, 10))
    cancel()
    expect(isEarly).toBe(false)
  })
})

describe('nodeRandom', () => {
  it('gives as many octets as asked for, never the same', () => {
    expect(nodeRandom(0).length).toBe(0)
    expect(nodeRandom(32).length).toBe(32)
    expect(nodeRandom(32)).not.toEqual(nodeRandom(32))
  })
})

describe('RFC 7296 §2.12: cryptoPort', () => {
  const CURVE25519 = 31

  it('agrees on a secret in three jobs', async () => {
    const crypto = cryptoPort()
    const ours = await crypto({ kind: 'ke-initiate', method: CURVE25519 })
    if (ours.kind !== 'ke-initiated') throw new Error(ours.kind)
    const theirs = await crypto({ kind: 'ke-respond', method: CURVE25519, peerPublic: ours.publicValue })
    if (theirs.kind !== 'ke-responded') throw new Error(theirs.kind)
    expect(await crypto({ kind: 'ke-complete', method: CURVE25519, secret: ours.secret, peerPublic: theirs.publicValue })).toEqual({
      kind: 'ke-completed',
      sharedSecret: theirs.sharedSecret,
    })
  })

  it('does one job in a turn of the event loop', async () => {
    const crypto = cryptoPort()
    const order: string[] = []
    const jobs = [1, 2].map((number) => crypto({ kind: 'ke-initiate', method: CURVE25519 }).then(() => order.push(`job ${number}`)))
    setImmediate(() => order.push('packet'))
    await Promise.all(jobs)
    expect(order).toEqual(['job 1', 'packet', 'job 2'])
  })

  it('RFC 6989: answers a bad public value and an unknown method with a reason', async () => {
    const crypto = cryptoPort()
    expect(await crypto({ kind: 'ke-respond', method: CURVE25519, peerPublic: new Uint8Array(32) })).toMatchObject({ kind: 'failed' })
    expect(await crypto({ kind: 'ke-initiate', method: 1023 })).toEqual({
      kind: 'failed',
      detail: 'key exchange method 1023 is not implemented',
    })
  })
})

describe('chooseAeadProvider', () => {
  it('takes for "auto" one that has both AES-GCM and ChaCha20-Poly1305, and says which and why', () => {
    const { provider, reason } = chooseAeadProvider('auto')
    expect(['ipsec-mb', 'openssl', 'node', 'noble']).toContain(provider.name)
    expect(reason).toMatch(new RegExp(`^${provider.name}: .+`))
    for (const [encryption, keyLength] of [
      [20, 256],
      [28, undefined],
    ] as const) {
      const transform = espTransform(encryption, keyLength, undefined)!
      expect(provider.supports(transform)).toBe(true)
      const aead = provider.create(transform, new Uint8Array(transform.keymatLength))
      const buffer = Uint8Array.from({ length: 32 }, (_, i) => (i < 16 ? i : 0))
      aead.seal(new Uint8Array(8), new Uint8Array(8), 8, buffer, 0, 16)
      expect(aead.open(new Uint8Array(8), new Uint8Array(8), 8, buffer, 0, 16)).toBe(true)
      expect(buffer.subarray(0, 4)).toEqual(Uint8Array.of(0, 1, 2, 3))
    }
  })

  it('prefers ipsec-mb to openssl, and those two to what the runtime has', () => {
    const isThere = (name: 'ipsec-mb' | 'openssl'): boolean => {
      try {
        expect(chooseAeadProvider(name)).toMatchObject({ provider: { name }, reason: `${name}: configured` })
        return true
      } catch (error) {
        expect(error).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', context: { provider: name } })
        return false
      }
    }
    const { name } = chooseAeadProvider('auto').provider
    if (isThere('ipsec-mb')) expect(name).toBe('ipsec-mb')
    else if (isThere('openssl')) expect(name).toBe('openssl')
    else expect(['node', 'noble']).toContain(name)
  })

  it.each(['node', 'noble'] as const)('takes %s where it is configured', (name) => {
    expect(chooseAeadProvider(name)).toMatchObject({ provider: { name }, reason: `${name}: configured` })
  })
})
