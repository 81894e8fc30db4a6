import { expect, it } from 'vitest'
import { ESP_TRANSFORMS, EspCryptoError, espTransform } from '../src/index.ts'
import { ipsecMbProvider } from '../src/ipsec-mb.ts'
import { nodeProvider } from '../src/node.ts'
import { opensslProvider } from '../src/openssl.ts'

it.each([
  ['openssl', opensslProvider],
  ['ipsec-mb', ipsecMbProvider],
] as const)('%s has every transform, or says that it is not there', (name, load) => {
  try {
    const provider = load()
    expect(provider.name).toBe(name)
    expect(ESP_TRANSFORMS.filter((row) => !provider.supports(row)).map((row) => row.name)).toEqual([])
  } catch (error) {
    expect(error).toBeInstanceOf(EspCryptoError)
    expect(error).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', context: { provider: name } })
  }
})

it('node:crypto has at least what RFC 8221 §5 demands', () => {
  const mandatory = [
    espTransform(20, 128, undefined),
    espTransform(20, 256, undefined),
    espTransform(12, 256, 12),
    espTransform(11, undefined, 12),
  ]
  for (const transform of mandatory) expect(nodeProvider.supports(transform!)).toBe(true)
})
