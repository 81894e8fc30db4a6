import { describe, expect, it } from 'vitest'
import { type ClientConfig, HostError, loadClientConfig, loadGatewayConfig } from '../../src/index.ts'
import { configAsJson } from '../../src/report/config-words.ts'
import { temporaryFile } from '../temporary.ts'

const PEER = '[peer]\ngateway = "192.0.2.1"\nlocal_id = "@me"\npsk = "0123456789abcdef-secret"\n'
const KEY = 'a-key-of-thirty-two-octets-or-so-many'

function load(line: string): ClientConfig {
  return loadClientConfig(temporaryFile('client.toml', `${PEER}${line}\n`))
}

describe('RFC 8784 ppk of a peer', () => {
  it('(P-6): has an ID and a key, and is optional unless it is required', () => {
    const octets = (text: string): Uint8Array => new TextEncoder().encode(text)
    expect(load('').peer.ppk).toBeUndefined()
    expect(load(`ppk = { id = "lab", psk = "${KEY}" }`).peer.ppk).toEqual({ id: octets('lab'), key: octets(KEY), isRequired: false })
    expect(load(`ppk = { id = "lab", psk = "${KEY}", required = true }`).peer.ppk!.isRequired).toBe(true)
  })

  it('(P-6): a gateway has it for each connection', () => {
    const file = temporaryFile(
      'gateway.toml',
      `[listen]\naddress = ["192.0.2.1"]\n[[connection]]\nname = "road"\nlocal_id = "@gw"\npsk = "0123456789abcdef-secret"\npool = { ranges = ["10.8.0.10-10.8.0.20"] }\nppk = { id = "lab", psk = "${KEY}" }\n`,
    )
    expect(loadGatewayConfig(file).peers[0]!.ppk!.isRequired).toBe(false)
  })

  it('(P-6): the key is not shown', () => {
    const shown = JSON.stringify(configAsJson(load(`ppk = { id = "lab", psk = "${KEY}" }`)))
    expect(shown).toContain('"lab"')
    expect(shown).toContain(`${KEY.length} octets`)
    expect(shown).not.toContain(KEY)
  })

  it.each(['ppk = { id = "lab" }', 'ppk = { psk = "x" }', 'ppk = { id = "", psk = "x" }', 'ppk = "x"'])('(P-6): %s is refused', (line) => {
    expect(() => load(line)).toThrow(HostError)
  })
})
