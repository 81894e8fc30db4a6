import { untunable } from '@underpass/tls-transport'
import { describe, expect, it } from 'vitest'
import { type TuningWishes, tuningGaps } from '../../src/run/tuning-gaps.ts'

const NOTHING: TuningWishes = { ofTcp: [], ofUdp: [], buffers: [], usesTcp: false, usesRuntimeTcp: false, udpFallback: undefined }
const texts = (wishes: Partial<TuningWishes>, settings: Record<string, number> = {}): string[] =>
  tuningGaps({ ...NOTHING, ...wishes }, (name) => settings[name]).map(({ text }) => text)

describe('what cannot be had of sockets', () => {
  it('where nothing is asked and the kernel is as it comes, nothing, or why no option can be set', () => {
    const found = texts({ usesTcp: true }, { 'net/ipv4/tcp_ecn': 2, 'net/ipv6/auto_flowlabels': 1 })
    const reason = untunable('native')
    expect(found).toEqual(
      reason === undefined ? [] : [`the IPv6 flow label of TCP connections is the kernel's, another for each (RFC 9329 §6.1): ${reason}`],
    )
  })

  it.each([1, 3, 4])('RFC 9329 §9.5: net.ipv4.tcp_ecn = %i, with which connections outside are ECN-capable', (value) => {
    expect(texts({ usesTcp: true }, { 'net/ipv4/tcp_ecn': value }).at(-1)).toContain(`net.ipv4.tcp_ecn = ${value} makes`)
    expect(texts({}, { 'net/ipv4/tcp_ecn': value })).toEqual([])
  })

  it('RFC 9329 §6.1: flow labels that the kernel forces', () => {
    expect(texts({ usesTcp: true }, { 'net/ipv6/auto_flowlabels': 3 }).at(-1)).toContain('net.ipv6.auto_flowlabels = 3')
  })

  it('DSCP of sockets of node:dgram', () => {
    expect(texts({ ofUdp: ['dscp'], udpFallback: 'koffi cannot be loaded' })).toEqual([
      'dscp is without effect on UDP: koffi cannot be loaded',
    ])
  })

  // Linux with koffi, as in CI: it is the kernel that grants less.
  it.runIf(untunable('native') === undefined)('buffers beyond what the kernel grants, by name', () => {
    const buffers = [
      { key: 'tcp.send_buffer', which: 'send', octets: 0x3fff_ffff },
      { key: 'udp.receive_buffer', which: 'receive', octets: 8_192 },
    ] as const
    // Those who may set more than the limits (CAP_NET_ADMIN) get it.
    const found = texts({ buffers })
    expect(found.length).toBeLessThan(2)
    for (const text of found)
      expect(text).toMatch(/^tcp\.send_buffer = 1073741823: the kernel grants \d+; net\.core\.wmem_max is the limit$/)
  })
})
