import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { loadLibc, watchNetworkNews } from '../src/index.ts'

const address = (what: 'add' | 'del'): void => void execFileSync('ip', ['addr', what, '127.77.0.1/32', 'dev', 'lo'], { stdio: 'ignore' })

/** An address of the test's own comes and goes on lo; that takes root, or a network namespace of one's own. */
function canChangeAddresses(): boolean {
  try {
    loadLibc()
    address('add')
    address('del')
    return true
  } catch {
    return false
  }
}

describe('rtnetlink(7)', () => {
  // CI, which is root, runs it.
  it.runIf(canChangeAddresses())('an address that comes and goes is news, and none after the end', async () => {
    let news = 0
    const watch = watchNetworkNews(() => news++)
    address('add')
    await until(() => news > 0)
    const before = news
    address('del')
    await until(() => news > before)
    watch.close()
    const atEnd = news
    address('add')
    address('del')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(news).toBe(atEnd)
  })
})

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 500) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
