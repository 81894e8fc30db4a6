import { describe, expect, it } from 'vitest'
import type { RunsOn } from '../../src/control/protocol.ts'
import { describeFallbacks, describeRunsOn } from '../../src/report/runs-on-words.ts'

const KOFFI = 'koffi cannot be loaded'
const NOTHING_LOST: RunsOn = {
  runtime: { name: 'bun', version: '1.4.5', platform: 'linux', arch: 'x64' },
  tcp: { kind: 'native', isFallback: false },
  udp: { kind: 'native', isFallback: false },
  esp: { kind: 'node', reason: 'configured', isFallback: false },
  offload: { kind: 'yes', isFallback: false },
}
const WITHOUT_KOFFI: RunsOn = {
  ...NOTHING_LOST,
  tcp: { kind: 'node', reason: KOFFI, isFallback: true },
  udp: { kind: 'dgram', reason: KOFFI, isFallback: true },
  esp: { kind: 'node', reason: `openssl is not available (${KOFFI})`, isFallback: true },
  offload: { kind: 'no', reason: 'the device is in memory, as configured', isFallback: false },
}

describe('what a program runs on, in words', () => {
  it('is the runtime, and a line for each part', () => {
    expect(describeRunsOn(NOTHING_LOST)).toEqual([
      'Bun 1.4.5, linux x64',
      'TCP sockets: native',
      'UDP sockets: native',
      'ESP cryptography: node:crypto, configured',
      'TUN offloads: yes',
    ])
    expect(describeRunsOn(WITHOUT_KOFFI).slice(1)).toEqual([
      'TCP sockets: node:net, koffi cannot be loaded',
      'UDP sockets: node:dgram, koffi cannot be loaded',
      'ESP cryptography: node:crypto, openssl is not available (koffi cannot be loaded)',
      'TUN offloads: no, the device is in memory, as configured',
    ])
  })

  it('has a line for TLS where there is any', () => {
    const tls = { kind: 'libssl', reason: 'OpenSSL 3.0.19', isFallback: false } as const
    expect(describeRunsOn({ ...NOTHING_LOST, tls })[2]).toBe('TLS: libssl, OpenSSL 3.0.19')
    const fallback = { kind: 'node', reason: 'libssl cannot be loaded', isFallback: true } as const
    expect(describeFallbacks({ ...NOTHING_LOST, tls: fallback })).toBe(
      'slower than it could be: TLS by node:tls (libssl cannot be loaded); install OpenSSL 3 (libssl.so.3)',
    )
  })

  it('says what ESP would be faster with, and is no warning for it', () => {
    const reason = 'libcrypto is here; AES-GCM would be faster with libipsec-mb1'
    const runsOn: RunsOn = { ...NOTHING_LOST, esp: { kind: 'openssl', reason, isFallback: false } }
    expect(describeRunsOn(runsOn)[3]).toBe(`ESP cryptography: openssl, ${reason}`)
    expect(describeFallbacks(runsOn)).toBeUndefined()
  })

  it('leaves out what is not open yet, or not there', () => {
    const { runtime, tcp } = NOTHING_LOST
    expect(describeRunsOn({ runtime, tcp, udp: undefined, esp: undefined, offload: undefined })).toEqual([
      'Bun 1.4.5, linux x64',
      'TCP sockets: native',
    ])
  })
})

describe('fallbacks in words', () => {
  it('are none where nothing is lost, or only what the configuration gave up', () => {
    expect(describeFallbacks(NOTHING_LOST)).toBeUndefined()
  })

  it('tell one reason once', () => {
    expect(describeFallbacks(WITHOUT_KOFFI)).toBe(
      'slower than it could be: TCP over node:net, UDP over node:dgram, ESP by node:crypto (koffi cannot be loaded); install the optional dependencies @underpass/native and koffi',
    )
  })

  it('name another remedy away from Linux, where there is nothing to install', () => {
    const runtime = { ...NOTHING_LOST.runtime, platform: 'darwin' }
    expect(describeFallbacks({ ...WITHOUT_KOFFI, runtime })).toMatch(/\); the faster sockets are there on Linux only$/)
  })

  it('name libcrypto where only that is missing, and the kernel where it is the kernel’s', () => {
    expect(
      describeFallbacks({
        ...NOTHING_LOST,
        esp: { kind: 'node', reason: 'openssl is not available (libcrypto cannot be loaded)', isFallback: true },
        offload: { kind: 'no', reason: 'the kernel has none for underpass0', isFallback: true },
      }),
    ).toBe(
      'slower than it could be: ESP by node:crypto, TUN offloads: no (openssl is not available (libcrypto cannot be loaded); the kernel has none for underpass0); install OpenSSL 3 (libcrypto.so.3), or say with [provider] crypto that it is to be so; a newer kernel has the offloads',
    )
  })
})
