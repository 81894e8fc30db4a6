import { tcpSockets, tlsLibrary } from '@underpass/tls-transport'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runsOn } from '../../src/program/runs-on.ts'
import { openUdpSockets } from '../../src/run/index.ts'

const ENDPOINT = { address: '127.0.0.1', port: 4500 }
const session = (cryptoReason: string, udp: readonly { readonly address: string; readonly port: number }[] = []) => ({
  cryptoReason,
  listening: { tcp: [], udp },
})

describe('what a program runs on', () => {
  it('is this runtime with its own version, and its TCP sockets, before anything is open', () => {
    const { runtime, tcp, ...rest } = runsOn('auto', undefined, undefined)
    expect(runtime).toEqual({
      name: 'Bun' in globalThis ? 'bun' : 'Deno' in globalThis ? 'deno' : 'node',
      version: process.versions[runtime.name],
      platform: process.platform,
      arch: process.arch,
    })
    expect(tcp).toEqual({ ...tcpSockets(), isFallback: tcpSockets().kind === 'node' })
    expect(rest).toEqual({ udp: undefined, esp: undefined, offload: undefined })
  })

  it('is whose TLS it uses, and why not libssl, where a transport is TLS', () => {
    const library = tlsLibrary()
    const reason = library.kind === 'libssl' ? library.version : library.reason
    expect(runsOn('auto', undefined, undefined, true).tls).toEqual({ kind: library.kind, reason, isFallback: library.kind === 'node' })
    expect(runsOn('auto', undefined, undefined).tls).toBeUndefined()
  })

  it('takes the kind of the UDP sockets from those that were opened', async () => {
    const sockets = await openUdpSockets([{ address: '127.0.0.1', port: 0 }], { onDatagram: () => {} })
    onTestFinished(() => sockets.close())
    const [{ kind, fallbackReason }] = sockets.listening as [(typeof sockets.listening)[number]]
    expect(fallbackReason === undefined).toBe(kind === 'native')
    expect(runsOn('auto', session('openssl: here', sockets.listening), undefined).udp).toMatchObject({ kind, isFallback: kind === 'dgram' })
  })

  it('of several UDP sockets says what the slowest is', () => {
    const listening = [
      { ...ENDPOINT, kind: 'native', fallbackReason: undefined },
      { ...ENDPOINT, kind: 'dgram', fallbackReason: 'no koffi' },
    ]
    expect(runsOn('auto', session('openssl: here', listening), undefined).udp).toEqual({
      kind: 'dgram',
      reason: 'no koffi',
      isFallback: true,
    })
    expect(runsOn('auto', session('openssl: here'), undefined).udp).toBeUndefined()
  })

  it.each([
    ['auto', 'ipsec-mb: the fastest', { kind: 'ipsec-mb', reason: 'the fastest', isFallback: false }],
    ['ipsec-mb', 'ipsec-mb: configured', { kind: 'ipsec-mb', reason: 'configured', isFallback: false }],
    ['auto', 'openssl: the fastest', { kind: 'openssl', reason: 'the fastest', isFallback: false }],
    ['auto', 'node: openssl is not available (a: b)', { kind: 'node', reason: 'openssl is not available (a: b)', isFallback: true }],
    ['noble', 'noble: configured', { kind: 'noble', reason: 'configured', isFallback: false }],
  ] as const)('ESP with crypto = "%s", %s: a fallback only where nobody asked for it', (crypto, reason, esp) => {
    expect(runsOn(crypto, session(reason), undefined).esp).toEqual(esp)
  })

  it('asks the kernel for the offloads of an interface, and nobody for those of a device in memory', () => {
    expect(runsOn('auto', undefined, { kind: 'memory', name: 'lo' }).offload).toMatchObject({ kind: 'no', isFallback: false })
    expect(runsOn('auto', undefined, { kind: 'tun', name: 'absent0' }).offload).toEqual({ kind: 'unknown', isFallback: false })
  })
})
