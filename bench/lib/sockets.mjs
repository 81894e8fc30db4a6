// What ss(8) says of a namespace's established TCP connections.

/** `ss` with these words prints what `connectionsIn` reads. */
export const SS = ['ss', '-Htin', 'state', 'established']

/**
 * @typedef {object} Connection
 * @property {string} local address and port, IPv4 as such
 * @property {string} remote
 * @property {string} control the congestion control
 * @property {number} sent octets
 * @property {number} mss octets
 * @property {number} cwnd segments
 * @property {number | undefined} ssthresh segments; undefined before the first loss
 * @property {number} resent segments in all
 * @property {number} notSent octets that wait in the socket
 * @property {number} rtt milliseconds, smoothed
 * @param {string} stdout
 * @returns {Connection[]}
 */
export function connectionsIn(stdout) {
  const lines = stdout.split('\n')
  return lines.flatMap((line, i) => {
    const [, local, remote] = /^\d+\s+\d+\s+(\S+)\s+(\S+)/.exec(line) ?? []
    if (local === undefined) return []
    const about = lines[i + 1] ?? ''
    const number = (pattern) => {
      const found = pattern.exec(about)?.[1]
      return found === undefined ? undefined : Number(found)
    }
    return {
      local: plain(local),
      remote: plain(remote),
      control: /^\s+(?:(?:ts|sack|ecn|ecnseen|fastopen) )*(\w+) /.exec(about)?.[1],
      sent: number(/ bytes_sent:(\d+)/) ?? 0,
      mss: number(/ mss:(\d+)/),
      cwnd: number(/ cwnd:(\d+)/),
      ssthresh: number(/ ssthresh:(\d+)/),
      resent: number(/ retrans:\d+\/(\d+)/) ?? 0,
      notSent: number(/ notsent:(\d+)/) ?? 0,
      rtt: number(/ rtt:([\d.]+)/),
    }
  })
}

const plain = (address) => address.replace(/^\[::ffff:([\d.]+)\]/, '$1')
