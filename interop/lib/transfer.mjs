// What crosses a tunnel under test: a hundred pings, and a file in each direction whose hash must come out equal.
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { cache } from './lab.mjs'
import { until } from './process.mjs'

const streamEnd = fileURLToPath(new URL('./stream-end.mjs', import.meta.url))
const longFlow = fileURLToPath(new URL('./long-flow.mjs', import.meta.url))
const MEGA = 1_048_576

/** A file of random octets, made once and kept in the cache, and its SHA-256. The guest reads it over 9p. */
export async function payload(megaoctets) {
  const path = join(cache, 'interop', `payload-${megaoctets}.bin`)
  if (!existsSync(path) || statSync(path).size !== megaoctets * MEGA) {
    mkdirSync(join(cache, 'interop'), { recursive: true })
    writeFileSync(path, randomBytes(megaoctets * MEGA))
  }
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return { path, octets: megaoctets * MEGA, sha256: hash.digest('hex') }
}

/** A hundred pings, none lost, from the first that passes on: routes may come a moment after the SA. `run(argv)` runs a command on the pinging side and resolves to {stdout}. */
export async function hundredPings(lab, run, target, { source, from = 'us' } = {}) {
  const first = async () => / 0% packet loss/.test((await run(['ping', '-n', '-c', '1', '-W', '1', target])).stdout)
  await until(`a first ping from ${from} to ${target}`, first, 8_000, 100)
  const argv = ['ping', '-n', '-q', '-c', '100', '-i', '0.05', '-W', '3', ...(source === undefined ? [] : ['-I', source]), target]
  const { stdout } = await run(argv)
  const received = Number(stdout.match(/(\d+) received/)?.[1] ?? 0)
  const rtt = stdout.match(/= [\d.]+\/([\d.]+)\//)?.[1]
  lab.expect(received === 100, `100 of 100 pings from ${from} to ${target} (mean ${rtt} ms)`, stdout.trim().split('\n').slice(-2).join(' '))
}

/** Between a namespace of ours and the Libreswan guest; the guest listens on `address` both times. */
export async function transferWithGuest(lab, namespace, libreswan, address, megaoctets = 50) {
  const file = await payload(megaoctets)
  const toGuest = libreswan.guest(`timeout 100 nc -l ${address} 6001 | sha256sum`, { timeout: 110_000 })
  await listening(libreswan, 6001)
  const sent = await end(lab, namespace, ['connect-send', file.path, address, '6001'])
  const guestHash = (await toGuest).slice(0, 64)
  lab.expect(guestHash === file.sha256, told(file, sent, 'to the guest'), `the guest's SHA-256 ${guestHash}`)

  const fromGuest = libreswan.guest(`timeout 100 nc -N -l ${address} 6002 < ${file.path}`, { timeout: 110_000 })
  await listening(libreswan, 6002)
  const received = await end(lab, namespace, ['connect-receive', address, '6002'])
  await fromGuest
  lab.expect(received.sha256 === file.sha256, told(file, received, 'from the guest'), `SHA-256 ${received.sha256} of ${received.octets}`)
}

/** Between two namespaces; the far one listens on `address`. */
export async function transferBetween(lab, near, far, address, megaoctets = 50) {
  const file = await payload(megaoctets)
  for (const [there, here, what] of [
    [['listen-receive'], ['connect-send', file.path], 'to the peer'],
    [['listen-send', file.path], ['connect-receive'], 'from the peer'],
  ]) {
    const listener = lab.backgroundIn(far, `stream-${what.replaceAll(' ', '-')}`, [process.execPath, streamEnd, ...there, address, '6003'])
    await listener.waitForLine(/LISTENING/)
    const mine = await end(lab, near, [...here, address, '6003'])
    const theirs = JSON.parse(await listener.waitForLine(/^\{/, 30_000))
    const equal = mine.sha256 === file.sha256 && theirs.sha256 === file.sha256
    lab.expect(equal, told(file, what === 'to the peer' ? theirs : mine, what), `SHA-256 ${mine.sha256} here, ${theirs.sha256} there`)
    await listener.exited
  }
}

/**
 * One TCP connection through the tunnel that lasts, from `namespace` to `address`, where something gives back each octet. `end()` fails the
 * scenario unless every octet came back, each right.
 */
export async function startEchoFlow(lab, namespace, address, { label = 'flow', port = 6100 } = {}) {
  const flow = lab.backgroundIn(namespace, label, [process.execPath, longFlow, 'echo', address, String(port)])
  await flow.waitForLine(/CONNECTED/)
  return {
    async end(what) {
      await flow.stop(15_000)
      const { sent, octets, wrong, longestGap } = JSON.parse(flow.lines.findLast((line) => line.startsWith('{')) ?? '{}')
      lab.expect(
        sent > 0 && octets === sent && wrong === 0,
        `${what}: one TCP connection inside had ${(sent / 1e6).toFixed(1)} MB there and back, each octet right, its longest gap ${longestGap} ms`,
        flow.lines.at(-1),
      )
      return octets
    },
  }
}

async function end(lab, namespace, argv) {
  return JSON.parse(await lab.mustIn(namespace, [process.execPath, streamEnd, ...argv], { timeout: 110_000 }))
}

async function listening(libreswan, port) {
  for (let tries = 0; tries < 40; tries++) {
    if ((await libreswan.guest(`ss -ltn 'sport = :${port}'`)).includes(`:${port}`)) return
    await sleep(150)
  }
  throw new Error(`the guest does not listen on ${port}`)
}

function told(file, { seconds }, direction) {
  const rate = ((file.octets * 8) / 1e6 / seconds).toFixed(0)
  return `${file.octets / MEGA} MB ${direction}, SHA-256 equal (${file.sha256.slice(0, 12)}…), ${seconds} s, ${rate} Mbit/s`
}
