// What Libreswan itself says of the tunnel: kernel states, pluto's counters and log.
import { setTimeout as sleep } from 'node:timers/promises'

/** Has it initiate, until our gateway has the SAs too; the address out of our pool that the guest has from it. */
export async function initiate(lab, libreswan, gateway, { name = 'up' } = {}) {
  const since = gateway.mark
  const command = `--initiate --name ${name}`
  let said = await libreswan.whack(command, { timeout: 30_000 })
  // pluto 4.10 aborts on an assertion when it initiates after its peer's Delete over TCP; its init starts it again.
  for (let tries = 0; tries < 3 && /reset by peer|refused|unknown connection|No such file/i.test(said); tries++) {
    lab.note(`pluto aborted and is started again: ${libreswan.log().match(/ABORT: ([^\n]*)/)?.[1] ?? said.trim()}`)
    await sleep(4_000)
    said = await libreswan.whack(command, { timeout: 30_000 })
  }
  lab.expect(/established Child SA/.test(said), said.trim().split('\n').at(-1), said.trim())
  await gateway.established({ since, timeout: 10_000 })
  return await virtualAddress(lab, libreswan)
}

/** What our gateway gave the guest. */
export async function virtualAddress(lab, libreswan) {
  const [address] = (await libreswan.guest('ip -4 -o addr')).match(/10\.9\.0\.\d+/) ?? []
  lab.expect(address !== undefined, `the guest has virtual address ${address} out of our pool`)
  return address
}

/** The SAs are ESP in TCP, and pluto counts a TCP connection. Returns the states, for `bytesMoved`. */
export async function expectEspInTcp(lab, libreswan, role = 'server') {
  const states = await libreswan.xfrmStates()
  const seen = states.map(({ spi, encap, ports }) => `${spi} encap ${encap} ${ports}`).join('; ')
  lab.expect(states.length >= 2 && states.every(({ encap }) => encap === 'espintcp'), `ip xfrm state in the guest: ${seen}`, seen)
  const started = (await libreswan.globalStatus()).get(`total.iketcp.${role}.started`)
  lab.expect(Number(started) > 0, `whack --globalstatus: total.iketcp.${role}.started=${started}`)
  return states
}

/** Since `before`, the kernel's byte counters have moved by at least `octets` in sum. */
export async function bytesMoved(lab, libreswan, before, octets) {
  const sum = (states) => states.reduce((total, { bytes }) => total + bytes, 0)
  const after = await libreswan.xfrmStates()
  const moved = sum(after) - sum(before)
  lab.expect(
    moved >= octets,
    `ip -s xfrm state: ${after.map(({ spi, bytes }) => `${spi} ${bytes} octets`).join(', ')}`,
    `${moved} octets moved`,
  )
}

/** Turns pluto's debugging on, does what is to be done `during` it, waits until the log has `pattern`, and turns it off again. */
export async function plutoSays(lab, libreswan, what, pattern, { during = async () => {}, timeout = 15_000 } = {}) {
  await libreswan.whack('--debug base')
  const since = libreswan.log().length
  try {
    await during()
    const line = await libreswan.waitForLog(new RegExp(`[^\\n]*(?:${pattern.source})[^\\n]*`), { since, timeout })
    lab.note(`${what}: "${line.replace(/^.*?: /, '').trim()}"`)
  } finally {
    await libreswan.whack('--debug none')
  }
}

/** What is equal as long as the Child SA is the same. */
export const spisOf = (states) =>
  states
    .map(({ spi }) => spi)
    .sort()
    .join(' and ')

/** The kernel in the guest had no UDP datagram. */
export async function expectNoDatagrams(lab, libreswan) {
  const count = await libreswan.datagramsIn()
  lab.expect(count === 0, '/proc/net/snmp in the guest: no UDP datagram came in', `${count}`)
}
