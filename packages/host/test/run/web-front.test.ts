import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { request } from 'node:https'
import { connect } from '@underpass/tls-transport'
import { afterEach, describe, expect, it } from 'vitest'
import { listenTcp } from '../../src/index.ts'

const FIXTURES = new URL('../../../tls-transport/test/fixtures/', import.meta.url)
const CERT = readFileSync(new URL('test-only-certificate.pem', FIXTURES), 'utf8')
const KEY = readFileSync(new URL('test-only-key.pem', FIXTURES), 'utf8')

const toClose: (() => unknown)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

/** A TLS listener; what came to IKE, as text. */
async function listening(backend?: { host: string; port: number }): Promise<{ port: number; ike: string[] }> {
  const ike: string[] = []
  const config = {
    address: '127.0.0.1',
    port: 0,
    framing: 'rfc9329',
    tls: { cert: CERT, key: KEY },
    web: backend ? { backend } : {},
  } as const
  const listener = await listenTcp(config, (stream) => {
    toClose.push(() => stream.reset())
    const at = ike.push('') - 1
    return {
      onData(bytes) {
        ike[at] += String.fromCharCode(...bytes)
      },
      onDrain() {},
      onEnd() {},
      onClose() {},
    }
  })
  toClose.push(() => listener.close())
  return { port: listener.local.port, ike }
}

function get(port: number, path = '/', method = 'GET', body = ''): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, rejectUnauthorized: false, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (more: string) => (text += more))
      response.on('end', () => resolve({ status: response.statusCode, text }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

async function dialled(port: number): Promise<{ write: (text: string) => void; said: () => string; isClosed: () => boolean }> {
  let said = ''
  let isClosed = false
  const handlers = {
    onData(bytes: Uint8Array) {
      said += String.fromCharCode(...bytes)
    },
    onClose() {
      isClosed = true
    },
  }
  const stream = await connect({ host: '127.0.0.1', port, tls: { rejectUnauthorized: false } }, handlers)
  toClose.push(() => stream.reset())
  return { write: (text) => void stream.write(Uint8Array.from(text, (c) => c.charCodeAt(0))), said: () => said, isClosed: () => isClosed }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 1000) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('RFC 9329 App. A: what a TLS port says', () => {
  it('§3 (T-PFX-1): who begins with the prefix goes on to IKE, however it is cut up, with all that follows', async () => {
    const { port, ike } = await listening()
    const whole = await dialled(port)
    whole.write('IKETCP and more')
    const pieces = await dialled(port)
    for (const piece of ['I', 'KET', 'CP and', ' more']) {
      pieces.write(piece)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await until(() => ike.length === 2 && ike.every((text) => text === 'IKETCP and more'))
  })

  it('a browser is told 404, a scanner 400, and neither hears of IKE', async () => {
    const { port, ike } = await listening()
    expect(await get(port)).toEqual({ status: 404, text: '' })
    const scanner = await dialled(port)
    scanner.write('\x00\x01rubbish')
    await until(() => scanner.isClosed())
    expect(scanner.said()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    const almost = await dialled(port)
    almost.write('IKETCX\r\n')
    await until(() => almost.isClosed())
    expect(almost.said()).toMatch(/^HTTP\/1\.1 400 /)
    expect(ike).toEqual([])
  })

  it('or what the server behind has to say, large pages and bodies whole', async () => {
    const page = 'x'.repeat(3_000_000)
    const server = createServer((asked, answer) => {
      let octets = 0
      asked.on('data', (bytes: Uint8Array) => (octets += bytes.length))
      asked.on('end', () => answer.end(asked.method === 'POST' ? String(octets) : page))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    toClose.push(() => new Promise((resolve) => server.close(resolve)))
    const address = server.address()
    const { port, ike } = await listening({ host: '127.0.0.1', port: typeof address === 'object' && address ? address.port : 0 })
    expect((await get(port)).text).toHaveLength(page.length)
    expect(await get(port, '/', 'POST', page)).toEqual({ status: 200, text: String(page.length) })
    const client = await dialled(port)
    client.write('IKETCP')
    await until(() => ike[0] === 'IKETCP')
  })

  it('502 where nothing is behind', async () => {
    const { port } = await listening({ host: '127.0.0.1', port: 1 })
    expect((await get(port)).status).toBe(502)
  })
})
