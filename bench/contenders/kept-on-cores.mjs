// A contender whose process at each end stays on a core of its own. The kernel else moves both about, and with them the load.
import { availableParallelism } from 'node:os'
import { needs } from './installed.mjs'

/** [the client's, the gateway's] */
export const CPUS = [0, 1]

/** @returns {import('./index.mjs').Contender} another's, by taskset(1): all its threads and processes at an end share a core then */
export function keptOnCores(contender) {
  return {
    ...contender,
    name: keptName(contender.name),
    isInstalled: () => withoutCores() ?? needs({ taskset: 'util-linux' }) ?? contender.isInstalled(),
    start: (ends) => contender.start(onCores(ends)),
  }
}

export const keptName = (name) => `${name}, on a core each`

/** Why nobody can be kept on two cores here, or undefined. */
export const withoutCores = () => (availableParallelism() < CPUS.length ? 'there is one core' : undefined)

/** The same ends; what is started there stays on a core. */
function onCores(ends) {
  return new Proxy(ends, {
    get(_, name) {
      if (name === 'backgroundIn')
        return (namespace, label, argv, options) =>
          ends.backgroundIn(namespace, label, ['taskset', '-c', String(CPUS[namespace === ends.client ? 0 : 1]), ...argv], options)
      const value = Reflect.get(ends, name)
      return typeof value === 'function' ? value.bind(ends) : value
    },
  })
}
