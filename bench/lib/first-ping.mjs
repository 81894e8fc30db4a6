// When the first ping through a tunnel is answered: ping(8) asks all the time from before the tunnel is begun.
const INTERVAL = 0.01

/** Milliseconds between two pings: what is measured may be longer by as much. */
export const RESOLUTION = INTERVAL * 1000

/** @returns {{ answered: (timeout: number) => Promise<number>, stop: () => Promise<void> }} `answered`: when, as Date.now() has it */
export function firstPing(ends, namespace, address) {
  const label = `ping-${++count}`
  // Raw: each packet takes the route and the source address that there are then.
  const ping = ends.backgroundIn(namespace, label, ['ping', '-D', '-n', '-i', String(INTERVAL), address])
  return {
    async answered(timeout) {
      const line = await ping.waitForLine(/^\[[\d.]+\] \d+ bytes from/, timeout)
      return Number(/^\[([\d.]+)\]/.exec(line)[1]) * 1000
    },
    stop: () => ping.stop(),
  }
}

let count = 0
