import { onTestFinished } from 'vitest'
import type { ProcessIo } from '../src/index.ts'
import { temporaryDirectory } from './temporary.ts'

/** A process of the test's own around a program: what it says is kept, its signals come from the test. */
export class FakeIo implements ProcessIo {
  /** What `exitNow` was called with. */
  readonly exits: number[] = []
  readonly env: ProcessIo['env'] = { XDG_STATE_HOME: temporaryDirectory() }
  readonly out: ProcessIo['out'] = { write: (text) => this.#hear('out', text) }
  readonly err: ProcessIo['err'] = { write: (text) => this.#hear('err', text) }
  readonly #told = { out: '', err: '' }
  readonly #signals = new Set<(name: string) => void>()
  readonly #crashes = new Set<(error: unknown) => void>()
  readonly #hearers = new Set<() => void>()

  /** Everything on stdout and on stderr. */
  get told(): { readonly out: string; readonly err: string } {
    return this.#told
  }

  /** Each JSON line of stdout. */
  get lines(): Record<string, unknown>[] {
    return this.#told.out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Resolves when the text is on stdout; a test that ends without it says what was there instead. */
  async said(text: string): Promise<void> {
    let isSaid = false
    onTestFinished(() => {
      if (!isSaid) throw new Error(`"${text}" was not said; only: ${this.#told.out}${this.#told.err}`)
    })
    while (!this.#told.out.includes(text)) await new Promise<void>((resolve) => this.#hearers.add(resolve))
    isSaid = true
  }

  signal(name: string): void {
    for (const listener of [...this.#signals]) listener(name)
  }

  crash(error: unknown): void {
    for (const listener of [...this.#crashes]) listener(error)
  }

  onSignal(listener: (name: string) => void): () => void {
    this.#signals.add(listener)
    return () => void this.#signals.delete(listener)
  }

  onCrash(listener: (error: unknown) => void): () => void {
    this.#crashes.add(listener)
    return () => void this.#crashes.delete(listener)
  }

  exitNow(code: number): void {
    this.exits.push(code)
  }

  #hear(stream: 'out' | 'err', text: string): void {
    this.#told[stream] += text
    for (const hearer of this.#hearers) hearer()
    this.#hearers.clear()
  }
}
