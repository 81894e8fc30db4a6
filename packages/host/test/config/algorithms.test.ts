import { DEFAULT_IKE_SUITES, describeEspSuite, describeIkeSuite, LEGACY_IKE_SUITES } from '@underpass/session-manager'
import { describe, expect, it } from 'vitest'
import { type ClientConfig, HostError, loadClientConfig } from '../../src/index.ts'
import { temporaryFile } from '../temporary.ts'

const load = (lists: string): ClientConfig =>
  loadClientConfig(
    temporaryFile('client.toml', `[peer]\ngateway = "192.0.2.1"\nlocal_id = "@me"\npsk = "0123456789abcdef-secret"\n${lists}\n`),
  )

function refusal(lists: string): string {
  try {
    load(lists)
  } catch (error) {
    if (error instanceof HostError) return error.message.replace(/^.*\/[^/]*?:/, 'FILE:')
  }
  return 'nothing was refused'
}

describe('RFC 8247, RFC 8221: the lists ike and esp', () => {
  it('RFC 8247 §2: "default" stands for the suites that are taken where nothing is written', () => {
    expect(load('ike = ["aes256-sha512-ecp521", "default"]').peer.ikeProposals.map(describeIkeSuite)).toEqual([
      'aes256-sha512-ecp521',
      ...DEFAULT_IKE_SUITES,
    ])
    expect(load('').peer.ikeProposals).toEqual(load('ike = ["default"]').peer.ikeProposals)
    expect(load('').peer.espProposals).toEqual(load('esp = ["default"]').peer.espProposals)
  })

  it('RFC 8247 §2: "legacy" is a set that has to be named, and is told', () => {
    const { peer, warnings } = load('ike = ["default", "legacy"]\nesp = ["legacy"]')
    expect(peer.ikeProposals.map(describeIkeSuite)).toEqual([...DEFAULT_IKE_SUITES, ...LEGACY_IKE_SUITES])
    expect(peer.espProposals.map(describeEspSuite)).toEqual(['aes256-sha1', 'aes128-sha1'])
    expect(warnings.map((warning) => warning.replace(/^.*:5/, ''))).toHaveLength(2)
    expect(warnings[0]).toMatch(/PRF_HMAC_SHA1 is MUST- \(RFC 8247 §2\.2\), AUTH_HMAC_SHA1_96 is MUST- \(RFC 8247 §2\.3\)/)
    expect(warnings[1]).toMatch(/AUTH_HMAC_SHA1_96 is MUST- \(RFC 8221 §6\)/)
  })

  it('RFC 8247 §2: a suite of its rank needs the name too, and then may be any', () => {
    expect(refusal('ike = ["default", "aes256-sha1-modp3072"]')).toMatch(/:5:.*AUTH_HMAC_SHA1_96 is MUST-.*put "legacy" into the list/)
    expect(refusal('esp = ["aes256-sha1"]')).toMatch(/RFC 8221 §6.*put "legacy" into the list/)
    expect(load('ike = ["legacy", "aes256-sha1-modp3072"]').peer.ikeProposals.map(describeIkeSuite)).toContain('aes256-sha1-modp3072')
  })

  it('RFC 8247 §2.4: what is not done here is refused by its row', () => {
    expect(refusal('ike = ["aes256-sha256-modp1024"]')).toMatch(/1024-bit MODP is SHOULD NOT \(RFC 8247 §2\.4\)/)
    expect(refusal('esp = ["3des-sha256"]')).toMatch(/ENCR_3DES is SHOULD NOT \(RFC 8221 §5\)/)
    expect(refusal('ike = []')).not.toBe('nothing was refused')
  })
})
