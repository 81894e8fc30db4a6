import { expect, it, vi } from 'vitest'
import { WorkerThread } from '../../src/workers/worker-thread.ts'

/** It hears nothing of what it is told, and never ends by itself. */
const DEAF = new URL('data:text/javascript,setInterval(() => {}, 1000)')

it('a worker that does not answer is waited for, for its grace and 8 s more, and is ended then', async () => {
  const died = vi.fn()
  const thread = new WorkerThread(0, () => {}, died, DEAF)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const stopping = thread.stop(500)
    await vi.advanceTimersByTimeAsync(8_499)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(vi.getTimerCount()).toBe(0)
    await stopping
    // What it would have answered is what it last said, which is nothing; and its end was our wish.
    expect(await thread.inspect()).toBeUndefined()
    expect(died).not.toHaveBeenCalled()
  } finally {
    vi.useRealTimers()
  }
})
