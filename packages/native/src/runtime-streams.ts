/** Sockets of the runtime's own that carry packets, TLS for one where libssl cannot be loaded. */
let count = 0

/** One more carries packets, until what is returned is called. */
export function countRuntimeStream(): () => void {
  count++
  let isCounted = true
  return () => {
    if (isCounted) count--
    isCounted = false
  }
}

/**
 * On Deno each write and read of such a socket takes several turns of the event loop, of which none ends a wait of ours: with a wait in each turn
 * a TLS stream carried a twelfth of what it carries else.
 */
export const areStarvedByWaits = (): boolean => count > 0 && process.versions['deno'] !== undefined
