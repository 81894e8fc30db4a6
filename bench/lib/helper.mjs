// A program of this folder's that runs in a namespace and is asked over Node's channel; helper-end.mjs is the other end. It dies with us.
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { Background } from '../../tools/processes.mjs'

export class Helper extends Background {
  /** `file`: in this folder. */
  constructor(namespace, label, file, { words, log }) {
    const script = fileURLToPath(new URL(file, import.meta.url))
    const inside = ['ip', 'netns', 'exec', namespace, execPath, script, ...words]
    super(label, 'setpriv', ['--pdeathsig', 'KILL', ...inside], { log, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  }

  /** What the helper's function of that name returns; its error where it throws. */
  async does(what, how = {}, timeout = 15_000) {
    try {
      return (await this.ask({ what, how }, timeout)).result
    } catch (error) {
      const last = this.exitCode === undefined ? '' : `; it ended with ${this.exitCode}: ${this.lines.slice(-3).join(' ')}`
      throw new Error(`${this.label}, ${what}: ${error.message}${last}`)
    }
  }
}
