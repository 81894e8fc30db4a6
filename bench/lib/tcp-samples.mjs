// The TCP connections of a namespace, again and again; a helper (helper.mjs).
import { execFile } from 'node:child_process'
import { answer } from './helper-end.mjs'
import { connectionsIn, SS } from './sockets.mjs'

let timer
let samples = []

answer({
  /** `every` in milliseconds. */
  start({ every }) {
    const started = performance.now()
    samples = []
    timer = setInterval(() => {
      const at = (performance.now() - started) / 1000
      execFile(SS[0], SS.slice(1), (error, stdout) => {
        if (error === null) samples.push({ at: Math.round(at * 1000) / 1000, connections: connectionsIn(stdout) })
      })
    }, every)
  },

  /** @returns {{ at: number, connections: import('./sockets.mjs').Connection[] }[]} seconds since the start */
  stop() {
    clearInterval(timer)
    return samples
  },
})
console.log('ready')
