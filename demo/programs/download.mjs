// An ordinary HTTP client that knows of no tunnel. download.mjs ADDRESS PORT FILE
import { createWriteStream } from 'node:fs'
import { get } from 'node:http'
import { pipeline } from 'node:stream/promises'

const [host, port, file] = process.argv.slice(2)
const started = performance.now()
const response = await new Promise((resolve, reject) => {
  get({ host, port, path: '/file', timeout: 10_000 }, resolve)
    .on('error', reject)
    .on('timeout', () => reject(new Error('no answer in 10 s')))
})
let octets = 0
response.on('data', (chunk) => {
  octets += chunk.length
})
await pipeline(response, createWriteStream(file))
console.log(JSON.stringify({ status: response.statusCode, octets, seconds: (performance.now() - started) / 1000 }))
