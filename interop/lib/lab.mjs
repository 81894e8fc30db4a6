// One scenario's laboratory: its folder, its network namespaces, its processes, and the undoing of all three.
import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dropAllBut } from './firewall.mjs'
import { LabProcess, must, run } from './process.mjs'

export const repository = resolve(fileURLToPath(new URL('../..', import.meta.url)))
export const peers = join(repository, 'interop/peers')
export const cache = resolve(process.env.UNDERPASS_CACHE ?? join(repository, '.underpass'))

export class Lab {
  evidence = []
  #namespaces = []
  #processes = []
  #undo = []
  #isClosed = false
  /** Namespaces that are being made. */
  #beingMade = new Set()

  constructor(scenario, { onEvidence } = {}) {
    this.scenario = scenario
    this.prefix = `up-${process.pid}`
    this.dir = join(cache, 'interop', `${scenario}-${process.pid}`)
    this.onEvidence = onEvidence
    rmSync(this.dir, { recursive: true, force: true })
    mkdirSync(this.dir, { recursive: true })
  }

  /** Notes one observed fact; a scenario's evidence is the list of these. */
  note(fact) {
    this.evidence.push(fact)
    this.onEvidence?.(fact)
  }

  /** Notes the fact when it holds, fails the scenario with it when not. */
  expect(condition, fact, otherwise = '') {
    if (!condition) throw new Error(`expected ${fact}${otherwise === '' ? '' : `; saw ${otherwise}`}`)
    this.note(fact)
  }

  /** A folder below the scenario's own, made. */
  folder(name) {
    const path = join(this.dir, name)
    mkdirSync(path, { recursive: true })
    return path
  }

  /** A new network namespace with lo up. */
  async namespace(suffix) {
    this.#mustBeOpen()
    const name = `${this.prefix}-${suffix}`
    const made = must(['ip', 'netns', 'add', name]).then(() => this.#namespaces.push(name))
    this.#beingMade.add(made)
    await made.finally(() => this.#beingMade.delete(made))
    this.#mustBeOpen()
    await must(['ip', '-n', name, 'link', 'set', 'lo', 'up'])
    return name
  }

  /** A veth pair between two namespaces; `ends` are {namespace, device, address}, of which one that is to be a bridge's has no address. */
  async link(left, right) {
    await must([
      'ip',
      '-n',
      left.namespace,
      'link',
      'add',
      left.device,
      'type',
      'veth',
      'peer',
      'name',
      right.device,
      'netns',
      right.namespace,
    ])
    for (const end of [left, right]) {
      if (end.address !== undefined) await must(['ip', '-n', end.namespace, 'addr', 'add', end.address, 'dev', end.device])
      await must(['ip', '-n', end.namespace, 'link', 'set', end.device, 'up'])
    }
  }

  /** An address behind an end, on its lo. */
  innerAddress(namespace, cidr) {
    return must(['ip', '-n', namespace, 'addr', 'add', cidr, 'dev', 'lo'])
  }

  /** Drops in a namespace what the scenario must not use, and counts it (`firewall.mjs`). `transport`: the one that stays open. */
  allowOnly(namespace, transport, options) {
    return dropAllBut(this, namespace, transport, options)
  }

  /** Starts a process of the laboratory; it is stopped, in reverse order, at the end. */
  background(label, argv, options = {}) {
    this.#mustBeOpen()
    const log = options.log ?? join(this.dir, `${label}.log`)
    const process = new LabProcess(label, argv, { ...options, log })
    this.#processes.push(process)
    return process
  }

  backgroundIn(namespace, label, argv, options) {
    return this.background(label, ['ip', 'netns', 'exec', namespace, ...argv], options)
  }

  in(namespace, argv, options) {
    return run(['ip', 'netns', 'exec', namespace, ...argv], options)
  }

  mustIn(namespace, argv, options) {
    return must(['ip', 'netns', 'exec', namespace, ...argv], options)
  }

  /** Something to undo before the processes are stopped. */
  defer(undo) {
    this.#undo.push(undo)
  }

  /** A scenario goes on for a while after its time is over, or after an interruption. */
  #mustBeOpen() {
    if (this.#isClosed) throw new Error('the laboratory is closed')
  }

  /** Undoes everything, after which nothing can be made any more. Never throws: what could not be undone is returned as text. */
  async close({ keep = false } = {}) {
    this.#isClosed = true
    await Promise.allSettled(this.#beingMade)
    const failures = []
    for (const undo of this.#undo.splice(0).reverse()) await Promise.resolve(undo()).catch((error) => failures.push(String(error)))
    for (const process of this.#processes.splice(0).reverse()) await process.stop().catch((error) => failures.push(String(error)))
    for (const name of this.#namespaces.splice(0)) {
      const { code, stderr } = await run(['ip', 'netns', 'del', name])
      if (code !== 0) failures.push(stderr.trim())
    }
    if (!keep) rmSync(this.dir, { recursive: true, force: true })
    return failures
  }
}

/** Namespaces that a laboratory left behind when it was killed outright: their pid is no longer there. */
export async function sweepDeadLabs() {
  const { stdout } = await run(['ip', 'netns', 'list'])
  for (const [, name, pid] of stdout.matchAll(/^(up-(\d+)-\S+)/gm)) {
    if (!isAlive(Number(pid))) await run(['ip', 'netns', 'del', name])
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
