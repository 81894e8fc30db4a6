/** When to look at the host's network again. */

/** Milliseconds between two looks where the system does not say that there is news. */
const INTERVAL = 5_000

type Native = typeof import('@underpass/native')

// An optional dependency: without it the network is looked at now and then.
const native: Partial<Pick<Native, 'watchNetworkNews'>> = await import('@underpass/native').catch(() => ({}))

/** By netlink where that can be had, else by the clock. */
export function watchNetworkNews(onNews: () => void): { close(): void } {
  try {
    const watch = native.watchNetworkNews?.(onNews)
    if (watch !== undefined) return watch
  } catch {
    // No koffi, or no Linux.
  }
  const timer = setInterval(onNews, INTERVAL)
  timer.unref()
  return { close: () => clearInterval(timer) }
}
