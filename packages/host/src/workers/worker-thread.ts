/** The supervisor's end of one worker thread. */
import { Worker } from 'node:worker_threads'
import type { SessionStatus } from '@underpass/session-manager'
import type { TunCounters } from '@underpass/tun-device'
import { type FromWorker, receivedError, type ToWorker, type WorkerStart } from './messages.ts'

export interface WorkerAnswer {
  readonly status: SessionStatus
  readonly tun: TunCounters | undefined
}

export type Started = Extract<FromWorker, { kind: 'started' }>

type Told = Extract<FromWorker, { kind: 'event' | 'failure' | 'stranger' }>

interface Waiting<T> {
  resolve(value: T): void
  reject(error: Error): void
}

const ENTRY = new URL('./worker-entry.js', import.meta.url)

export class WorkerThread {
  readonly #index: number
  readonly #worker: Worker
  readonly #told: (index: number, message: Told) => void
  readonly #questions = new Map<number, Waiting<WorkerAnswer>>()
  #start: Waiting<Started> | undefined
  #stop: Waiting<void> | undefined
  /** Why it is gone, where nobody told it to go. */
  #death: Error | undefined
  #nextQuestion = 1
  #lastAnswer: WorkerAnswer | undefined

  constructor(
    index: number,
    told: (index: number, message: Told) => void,
    died: (index: number, error: Error) => void,
    entry: URL = ENTRY,
  ) {
    this.#index = index
    this.#told = told
    this.#worker = new Worker(entry)
    const gone = (error: Error): void => {
      if (this.#death !== undefined) return
      this.#death = error
      const isExpected = this.#stop !== undefined
      const wasStarting = this.#start !== undefined
      this.#settleAll(error)
      if (!isExpected && !wasStarting) died(index, error)
    }
    this.#worker.on('message', (message: FromWorker) => this.#received(message))
    this.#worker.on('error', (error) =>
      gone(new Error(`worker ${index} failed: ${error instanceof Error ? error.message : String(error)}`)),
    )
    this.#worker.on('exit', () => gone(new Error(`worker ${index} ended by itself`)))
  }

  /** Rejects with what it could not open. */
  start(message: WorkerStart): Promise<Started> {
    return new Promise((resolve, reject) => {
      this.#start = { resolve, reject }
      if (this.#death !== undefined) reject(this.#death)
      else
        this.#worker.postMessage(
          message,
          message.neighbours.filter((port) => port !== undefined),
        )
    })
  }

  post(message: Exclude<ToWorker, WorkerStart>): void {
    if (this.#death === undefined) this.#worker.postMessage(message)
  }

  /** What it last said, where it is dead. */
  async inspect(): Promise<WorkerAnswer | undefined> {
    if (this.#death !== undefined || this.#stop !== undefined) return this.#lastAnswer
    const question = this.#nextQuestion++
    try {
      this.#lastAnswer = await new Promise<WorkerAnswer>((resolve, reject) => {
        this.#questions.set(question, { resolve, reject })
        this.#worker.postMessage({ kind: 'inspect', question } satisfies ToWorker)
      })
    } catch {
      // It died over it.
    }
    return this.#lastAnswer
  }

  /** Resolves when its Deletes are said, or it is dead or hangs, and the thread is gone. */
  async stop(graceMilliseconds: number): Promise<void> {
    if (this.#death === undefined) {
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, graceMilliseconds + PATIENCE)
        const settle = (): void => {
          clearTimeout(deadline)
          resolve()
        }
        this.#stop = { resolve: settle, reject: settle }
        this.#worker.postMessage({ kind: 'stop', graceMilliseconds } satisfies ToWorker)
      })
    }
    await this.#worker.terminate()
  }

  #received(message: FromWorker): void {
    switch (message.kind) {
      case 'started':
        this.#start?.resolve(message)
        this.#start = undefined
        return
      case 'start-failed':
        this.#start?.reject(receivedError(message.error))
        this.#start = undefined
        return
      case 'inspected':
        this.#questions.get(message.question)?.resolve(message)
        this.#questions.delete(message.question)
        return
      case 'stopped':
        this.#stop?.resolve()
        return
      case 'event':
      case 'failure':
      case 'stranger':
        this.#told(this.#index, message)
        return
      default:
        message satisfies never
    }
  }

  #settleAll(error: Error): void {
    for (const question of this.#questions.values()) question.reject(error)
    this.#questions.clear()
    this.#start?.reject(error)
    this.#start = undefined
    this.#stop?.resolve()
  }
}

/** Milliseconds beyond the grace that a worker may take to close what it has. Connections linger for five seconds. */
const PATIENCE = 8_000
