// What Libreswan itself says of the tunnel: kernel states, pluto's counters and log.

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
