// What `npm start` shows: a timeline with seconds, progress while something takes long, tables. Nothing but Node needed.
import { stderr, stdout } from 'node:process'

export class Screen {
  #out
  #hasColour
  #started = performance.now()
  #spinner

  /** With `isJson` words go to stderr, and stdout is for the one line of JSON. */
  constructor({ isJson }) {
    this.#out = isJson ? stderr : stdout
    this.#hasColour = this.#out.isTTY === true && !process.env.NO_COLOR
  }

  get isTerminal() {
    return this.#out === stdout && stdout.isTTY === true
  }

  heading(text) {
    this.#write(`\n${this.#paint('1', text)}\n`)
  }

  plain(text = '') {
    this.#write(`${text}\n`)
  }

  /** One line of the timeline. */
  event(text, kind = 'info') {
    const paint = { info: (words) => words, good: (words) => this.#paint('32', words), bad: (words) => this.#paint('33', words) }[kind]
    this.#write(`${this.#paint('2', this.#clock())}  ${paint(text)}\n`)
  }

  /** One check that has finished. */
  check({ name, ok, detail }) {
    this.#write(`${this.#paint('2', this.#clock())}  ${this.#mark(ok)} ${name}: ${detail}\n`)
  }

  fail(text) {
    this.#write(`${this.#paint('31', text)}\n`)
  }

  /** Somebody else's words, set off. */
  block(text) {
    this.#write(`${text.replace(/^/gm, '    ')}\n`)
  }

  table(rows) {
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)))
    for (const [index, row] of rows.entries()) {
      const text = row.map((cell, column) => String(cell).padEnd(widths[column])).join('   ')
      this.#write(`  ${index === 0 ? this.#paint('2', text.trimEnd()) : this.#colourMark(text.trimEnd())}\n`)
    }
  }

  /** For what takes long. A terminal sees the seconds run; a log gets the beginning and the end. Below `isSilentBelow` ms: nothing. */
  progress(label, { isSilentBelow = 0 } = {}) {
    const started = performance.now()
    const seconds = () => `${((performance.now() - started) / 1000).toFixed(0)} s`
    let isShown = false
    const show = () => {
      if (!isShown && !this.isTerminal) this.#out.write(`${label} …\n`)
      isShown = true
      if (this.isTerminal) this.#out.write(`\r\x1b[K${label} … ${seconds()}`)
    }
    if (isSilentBelow === 0) show()
    let toldAt = started
    const timer = setInterval(() => {
      const now = performance.now()
      if (now - started >= isSilentBelow && (this.isTerminal || !isShown)) show()
      if (this.isTerminal || now - toldAt < 10_000) return
      toldAt = now
      this.#out.write(`  … ${seconds()}\n`)
    }, 250)
    this.#spinner = { timer, isShown: () => isShown }
    return {
      end: (ok) => {
        clearInterval(timer)
        this.#spinner = undefined
        if (isShown && this.isTerminal) this.#out.write('\r\x1b[K')
        if (isShown || !ok) this.#write(`${this.#mark(ok)} ${label}, ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
        this.#started = performance.now()
      },
    }
  }

  json(value) {
    stdout.write(`${JSON.stringify(value)}\n`)
  }

  #write(text) {
    if (this.#spinner !== undefined) {
      clearInterval(this.#spinner.timer)
      if (this.#spinner.isShown() && this.isTerminal) this.#out.write('\n')
      this.#spinner = undefined
    }
    this.#out.write(text)
  }

  #clock() {
    return `${((performance.now() - this.#started) / 1000).toFixed(1).padStart(5)} s`
  }

  #mark(ok) {
    return ok ? this.#paint('32', 'ok  ') : this.#paint('31', 'FAIL')
  }

  #colourMark(text) {
    return text.replace(/^(ok|FAIL)\b/, (word) => this.#paint(word === 'ok' ? '32' : '31', word))
  }

  #paint(code, text) {
    return this.#hasColour ? `\x1b[${code}m${text}\x1b[0m` : text
  }
}

/** 20000000 as '20.0 MB', 1234 as '1,234'. */
export const megabytes = (octets) => `${(octets / 1e6).toFixed(1)} MB`
export const grouped = (number) => number.toLocaleString('en-US')
export const milliseconds = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`
