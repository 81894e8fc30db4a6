import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { publicKeyOf, readPkcs12 } from '@underpass/certificates'
import type { CryptoResult, CryptoWork } from '@underpass/session-manager'
import { afterEach, describe, expect, it } from 'vitest'
import { type Credentials, NO_CREDENTIALS, type TrustFiles } from '../../src/config/authentication.ts'
import { cryptoPort } from '../../src/run/crypto-port.ts'
import { fetchFromAuthority } from '../../src/run/signatures.ts'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const key = new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }))
const spki = publicKeyOf(createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' }))
const octets = new TextEncoder().encode('signed')
const believing = (rawPublicKeys: Uint8Array[]): TrustFiles => ({ anchors: [], rawPublicKeys, crls: [], revocation: 'soft' })
const credentials: Credentials = { ...NO_CREDENTIALS, keys: { us: key }, trusts: { others: believing([]), us: believing([spki]) } }

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const sign = (port = cryptoPort(undefined, credentials), name = 'us'): Promise<CryptoResult> =>
  port({ kind: 'sign', key: name, octets, hashAlgorithms: [2] })

async function verify(change: Partial<Extract<CryptoWork, { kind: 'verify-peer' }>>): Promise<CryptoResult> {
  const port = cryptoPort(undefined, credentials)
  const signed = await sign(port)
  if (signed.kind !== 'signed') throw new Error(JSON.stringify(signed))
  const identity = { idType: 11, data: Uint8Array.of(1) }
  const certificates = [{ encoding: 15, data: spki }]
  return port({
    kind: 'verify-peer',
    trusts: ['others', 'us'],
    identity,
    method: signed.method,
    signature: signed.data,
    octets,
    certificates,
    ...change,
  })
}

describe('RFC 7296 §2.15 the crypto port signs, and believes signatures', () => {
  it('RFC 7427 §3 (S-1): by the key of the name, for the trust of the name that says so', async () => {
    expect(await sign()).toMatchObject({ kind: 'signed', method: 14 })
    expect(await verify({})).toEqual({ kind: 'peer-verified', trust: 'us' })
  })

  it('§2.15: what is not so fails, and says why', async () => {
    expect(await sign(undefined, 'somebody')).toEqual({ kind: 'failed', detail: 'there is no private key for "somebody"' })
    expect(await verify({ trusts: ['others'] })).toMatchObject({
      kind: 'failed',
      detail: expect.stringMatching(/not one of those that are known/),
    })
    expect(await verify({ octets: octets.slice(1) })).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/signature in AUTH/) })
    expect(await verify({ trusts: [] })).toMatchObject({ kind: 'failed' })
    expect(await cryptoPort()({ kind: 'sign', key: 'us', octets })).toMatchObject({ kind: 'failed' })
  })

  it('RFC 5280 §6.1: by a certificate of an anchor, now', async () => {
    const vectors = new URL('../../../certificates/test/vectors/keys.json', import.meta.url)
    const { pkcs12 } = JSON.parse(readFileSync(vectors, 'utf8')) as { pkcs12: { today: string } }
    const own = readPkcs12(new Uint8Array(Buffer.from(pkcs12.today, 'base64')), 'secret words')
    const [certificate, root] = own.certificates
    const pkcs8 = new Uint8Array(own.key!.export({ type: 'pkcs8', format: 'der' }))
    const port = cryptoPort(undefined, {
      ...NO_CREDENTIALS,
      keys: { own: pkcs8 },
      trusts: { root: { ...believing([]), anchors: [root!] } },
    })
    const signed = await sign(port, 'own')
    if (signed.kind !== 'signed') throw new Error(JSON.stringify(signed))
    const claim = { octets, method: signed.method, signature: signed.data, certificates: [{ encoding: 4, data: certificate! }] }
    const refused = await port({ kind: 'verify-peer', trusts: ['root'], identity: { idType: 2, data: octets }, ...claim })
    expect(refused).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/does not have the identity claimed/) })
  })
})

describe('RFC 5280 §4.2.1.13, RFC 6960 A.1: what certificates say is fetched', () => {
  it('GET for a list, POST for a question; not beyond the length, no redirect, no error page', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/moved') return void response.writeHead(302, { location: '/list' }).end()
      if (request.url === '/gone') return void response.writeHead(404).end('nothing')
      if (request.url === '/long') return void response.end(new Uint8Array(100_000))
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () =>
        response.end(`${request.method} ${request.headers['content-type'] ?? ''} ${Buffer.concat(parts).toString('hex')}`),
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => server.close())
    const { port } = server.address() as { port: number }
    const get = (path: string, body?: Uint8Array): Promise<string> =>
      fetchFromAuthority({ url: `http://127.0.0.1:${port}${path}`, maxLength: 1_000, ...(body && { body }) }).then((found) =>
        new TextDecoder().decode(found),
      )
    expect(await get('/list')).toBe('GET  ')
    expect(await get('/ask', Uint8Array.of(1, 2))).toBe('POST application/ocsp-request 0102')
    for (const path of ['/moved', '/gone', '/long']) await expect(get(path)).rejects.toThrow()
  })
})
