import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { NetworkMemory, networkMemoryPath } from '../../src/network/network-memory.ts'
import { temporaryDirectory } from '../temporary.ts'

const HOUR = 3_600_000
const UDP = { peer: 'gw', network: 'a1', transport: 'udp:500', blockedForMilliseconds: HOUR }

describe('RFC 9329 §5.1 (T-FB-4): what is kept of networks', () => {
  it('is there for the next process, with what is left of its time', () => {
    const { memory, path, later } = fresh()
    memory().remember(UDP)
    memory().remember({ ...UDP, network: 'b2', transport: 'tcp:4500', isHalfWay: true })
    memory().remember({ ...UDP, peer: 'other' })
    later(600_000)
    expect(memory().of('gw')).toEqual([
      { ...UDP, blockedForMilliseconds: HOUR - 600_000 },
      { ...UDP, network: 'b2', transport: 'tcp:4500', blockedForMilliseconds: HOUR - 600_000, isHalfWay: true },
    ])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
    expect(readdirSync(dirname(path))).toEqual(['networks.json'])
  })

  it('ends with its time, and with a transport that gets through', () => {
    const { memory, path, later } = fresh()
    memory().remember(UDP)
    memory().remember({ ...UDP, transport: 'tcp:4500', blockedForMilliseconds: 2 * HOUR })
    later(HOUR)
    expect(
      memory()
        .of('gw')
        .map(({ transport }) => transport),
    ).toEqual(['tcp:4500'])
    memory().remember({ ...UDP, transport: 'tcp:4500', blockedForMilliseconds: 0 })
    expect(memory().of('gw')).toEqual([])
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ version: 1, entries: [] })
  })

  it('is one entry for each transport on each network, and not endless', () => {
    const { memory, path } = fresh()
    const one = memory()
    for (let i = 0; i < 300; i++) one.remember({ ...UDP, network: `n${i}` })
    one.remember({ ...UDP, network: 'n299' })
    const kept = one.of('gw')
    expect(kept).toHaveLength(256)
    expect([kept[0]!.network, kept.at(-1)!.network]).toEqual(['n44', 'n299'])
    expect(statSync(path).size).toBeLessThan(64_000)
  })

  it.each([
    ['is no JSON', '{"version": 1, "entr'],
    ['is of another version', '{"version": 2, "entries": []}'],
    ['has something else in it', '{"version": 1, "entries": [{"peer": 3}]}'],
  ])('a file that %s is told once, set aside and begun anew', (_, text) => {
    const { memory, path, problems } = fresh()
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    const one = memory()
    expect(one.of('gw')).toEqual([])
    expect(one.of('gw')).toEqual([])
    expect(problems).toEqual([expect.stringContaining(`${path}, which keeps what is learnt of networks, is not what was written there`)])
    expect(readFileSync(`${path}.broken`, 'utf8')).toBe(text)
    expect(memory().of('gw')).toEqual([])
    expect(problems).toHaveLength(1)
    one.remember(UDP)
    expect(memory().of('gw')).toEqual([UDP])
  })

  it('what is set aside takes the place of what was set aside before', () => {
    const { memory, path } = fresh()
    mkdirSync(dirname(path), { recursive: true })
    for (const text of ['one', 'two']) {
      writeFileSync(path, text)
      memory().of('gw')
    }
    expect(readdirSync(dirname(path))).toEqual(['networks.json.broken'])
    expect(readFileSync(`${path}.broken`, 'utf8')).toBe('two')
  })

  it('a clock that was wrong makes nothing last for years', () => {
    const { memory, later } = fresh()
    later(365 * 24 * HOUR)
    memory().remember(UDP)
    later(-365 * 24 * HOUR)
    expect(memory().of('gw')).toEqual([])
  })

  it('where it cannot be written that is told once, and nothing else happens', () => {
    const problems: string[] = []
    const place = join(temporaryDirectory(), 'file')
    writeFileSync(place, '')
    const one = new NetworkMemory(join(place, 'networks.json'), (text) => problems.push(text))
    one.remember(UDP)
    one.remember(UDP)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/which keeps what is learnt of networks, cannot be (read|written): /)
  })

  it('is in the state directory', () => {
    expect(networkMemoryPath({ XDG_STATE_HOME: '/home/me/state' }, false)).toBe('/home/me/state/underpass/networks.json')
    expect(networkMemoryPath({}, true)).toBe('/var/lib/underpass/networks.json')
    expect(networkMemoryPath({ XDG_STATE_HOME: 'relative' }, true)).toBe('/var/lib/underpass/networks.json')
    expect(networkMemoryPath({}, false)).toMatch(/\/\.local\/state\/underpass\/networks\.json$/)
  })
})

function fresh() {
  let now = 1_800_000_000_000
  const path = join(temporaryDirectory(), 'state/underpass/networks.json')
  const problems: string[] = []
  expect(existsSync(path)).toBe(false)
  return {
    path,
    problems,
    /** As another process has it. */
    memory: () =>
      new NetworkMemory(
        path,
        (text) => problems.push(text),
        () => now,
      ),
    later(milliseconds: number): void {
      now += milliseconds
    },
  }
}
