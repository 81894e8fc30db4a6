/** Where a program's lines go: a timeline in words, or JSON lines. Keeps the latest events for `status`. */
import { describeEndpoint, type SessionEvent } from '@underpass/session-manager'
import pc from 'picocolors'
import type { TimedEvent } from '../control/protocol.ts'
import { describeEvent, LEVELS, type Level, levelOf } from './event-words.ts'
import { LineBudget } from './line-budget.ts'

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
}

export interface ReporterOptions {
  readonly out: Output
  readonly err: Output
  /** Events as JSON lines on `out`; words then go to `err` only for errors. */
  readonly json: boolean
  readonly level: Level
  /** NO_COLOR and FORCE_COLOR are not looked at here. */
  readonly colour: boolean
  readonly now?: () => Date
}

export class Reporter {
  readonly #options: ReporterOptions
  readonly #colours: ReturnType<typeof pc.createColors>
  readonly #latest: TimedEvent[] = []
  /** When each limit was last told of. */
  readonly #limitsTold = new Map<string, number>()
  /** What anybody can make us write. */
  readonly #strangers: LineBudget
  readonly #accepted: LineBudget
  /** Who is somebody may move from here to there with each packet. */
  readonly #moves: LineBudget
  /** Accepted connections that were told of: their ends are too. */
  readonly #acceptedTold = new Set<string>()

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#colours = pc.createColors(options.colour && !options.json)
    const now = (): number => this.#now().getTime()
    this.#strangers = new LineBudget(STRANGERS_PER_SECOND, now, (count) =>
      this.notice(`strangers: ${count} more lines like these were left out`),
    )
    this.#accepted = new LineBudget(ACCEPTED_PER_SECOND, now, (count) => this.notice(`${count} more connections were accepted`))
    this.#moves = new LineBudget(MOVES_PER_SECOND, now, (count) => this.notice(`paths moved ${count} more times`))
  }

  get recent(): readonly TimedEvent[] {
    return this.#latest
  }

  event(exact: SessionEvent): void {
    const event = inWholeMilliseconds(exact)
    const at = this.#now()
    if (event.kind === 'limit-reached' && !this.#isNews(event.limit, at.getTime())) return
    if (isRefusal(event) && !this.#strangers.take()) return
    if (event.kind === 'path-moved' && !this.#moves.take()) return
    if (!this.#mayTellConnection(event)) return
    const level = levelOf(event)
    // Drops come by the thousand when they come; they would push everything else out.
    if (event.kind !== 'dropped') this.#latest.push({ at: at.toISOString(), event })
    if (this.#latest.length > KEPT_EVENTS) this.#latest.shift()
    if (!this.#isShown(level)) return
    if (this.#options.json) this.#options.out.write(`${JSON.stringify({ at: at.toISOString(), ...event })}\n`)
    else this.#options.out.write(this.#line(at, level, describeEvent(event)))
  }

  /** Something of the program's own, in words. `fields` are beside them in JSON. */
  notice(text: string, level: Exclude<Level, 'error'> = 'info', fields: Readonly<Record<string, unknown>> = {}): void {
    if (!this.#isShown(level)) return
    const at = this.#now()
    if (this.#options.json) this.#options.out.write(`${JSON.stringify({ at: at.toISOString(), kind: 'notice', level, text, ...fields })}\n`)
    else this.#options.out.write(this.#line(at, level, text))
  }

  /** Who came to a listener and got no further. */
  stranger(text: string): void {
    if (this.#strangers.take()) this.notice(text)
  }

  /** The line that everything else leads up to. */
  headline(text: string, kind: string, fields: Readonly<Record<string, unknown>>): void {
    if (!this.#isShown('info')) return
    const at = this.#now()
    if (this.#options.json) this.#options.out.write(`${JSON.stringify({ at: at.toISOString(), kind, text, ...fields })}\n`)
    else this.#options.out.write(`${this.#colours.dim(clockTime(at))} ${this.#colours.green(this.#colours.bold(text))}\n`)
  }

  /** Always shown, on `err`. */
  error(text: string): void {
    if (this.#options.json) this.#options.out.write(`${JSON.stringify({ at: this.#now().toISOString(), kind: 'error', text })}\n`)
    this.#options.err.write(`${this.#colours.red(text)}\n`)
  }

  /** JSON's last line; nothing in words. */
  summary(fields: Readonly<Record<string, unknown>>): void {
    if (this.#options.json) this.#options.out.write(`${JSON.stringify({ at: this.#now().toISOString(), kind: 'summary', ...fields })}\n`)
  }

  #line(at: Date, level: Level, text: string): string {
    const { dim, red, yellow, gray } = this.#colours
    const colour = { error: red, warn: yellow, info: String, debug: gray }[level]
    return `${dim(clockTime(at))} ${colour(text)}\n`
  }

  /** Who floods us reaches a limit with each packet, and would write our log; the counters have them all. */
  #isNews(limit: string, now: number): boolean {
    const told = this.#limitsTold.get(limit)
    if (told !== undefined && Math.abs(now - told) < LIMIT_SILENCE) return false
    this.#limitsTold.set(limit, now)
    return true
  }

  /** Whoever connects makes two lines of it, one when he comes and one when he goes. */
  #mayTellConnection(event: SessionEvent): boolean {
    if (event.kind === 'connection-opened') {
      if (event.role === 'originator') return true
      if (!this.#accepted.take()) return false
      this.#acceptedTold.add(describeEndpoint(event.remote))
    }
    if (event.kind !== 'connection-closed' || event.role === 'originator') return true
    return this.#acceptedTold.delete(describeEndpoint(event.remote))
  }

  #isShown(level: Level): boolean {
    return LEVELS.indexOf(level) <= LEVELS.indexOf(this.#options.level)
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date()
  }
}

const KEPT_EVENTS = 100

/** Milliseconds between two lines about one limit. */
const LIMIT_SILENCE = 1_000

/** Of handshakes with others that failed; who wants to can have one fail with each packet. */
const STRANGERS_PER_SECOND = 10

const ACCEPTED_PER_SECOND = 20
const MOVES_PER_SECOND = 20

/** Of somebody else by us, that is. */
function isRefusal(event: SessionEvent): boolean {
  return (event.kind === 'authentication-failed' || event.kind === 'handshake-failed') && event.remote !== undefined
}

/** The core's clock counts fractions. */
function inWholeMilliseconds(event: SessionEvent): SessionEvent {
  switch (event.kind) {
    case 'transport-failed':
      return { ...event, afterMilliseconds: Math.round(event.afterMilliseconds) }
    case 'reconnecting':
    case 'retry-scheduled':
      return { ...event, inMilliseconds: Math.round(event.inMilliseconds) }
    default:
      return event
  }
}

/** '16:52:18.123', the machine's own zone. */
function clockTime(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`
}
