import { describe, expect, it } from 'vitest'
import { HostError } from '../../src/index.ts'
import { GatewayName } from '../../src/names/gateway-name.ts'
import { addressesIn, type Place } from '../../src/names/places.ts'

describe('a name that is looked up again', () => {
  it('is news where it has other addresses, and none where only their order is another', async () => {
    const { name, answer, changes } = known(['192.0.2.1', '192.0.2.2'])
    answer(['192.0.2.2', '192.0.2.1'])
    await name.lookAgain(false)
    expect([addressesIn(name.places), changes()]).toEqual([['192.0.2.1', '192.0.2.2'], 0])
    answer(['192.0.2.2', '192.0.2.3'])
    await name.lookAgain(false)
    expect([addressesIn(name.places), changes()]).toEqual([['192.0.2.2', '192.0.2.3'], 1])
    answer(['192.0.2.2'])
    await name.lookAgain(false)
    expect([addressesIn(name.places), changes()]).toEqual([['192.0.2.2'], 2])
  })

  it('through a tunnel, the answer may be what only those inside can reach: what was known goes first', async () => {
    const { name, answer, changes } = known(['192.0.2.1'])
    answer(['10.2.0.1'])
    await name.lookAgain(true)
    expect([addressesIn(name.places), changes()]).toEqual([['192.0.2.1', '10.2.0.1'], 1])
    await name.lookAgain(true)
    expect(changes()).toBe(1)
  })

  it('keeps what is known where nobody answers, and says so once', async () => {
    const { name, answer, problems } = known(['192.0.2.1'])
    answer(new HostError('NAME_NOT_FOUND', 'gw has no address: no name server answered', { name: 'gw', reason: '' }))
    await name.lookAgain(false)
    await name.lookAgain(false)
    expect(addressesIn(name.places)).toEqual(['192.0.2.1'])
    expect(problems).toEqual(['gw has no address: no name server answered'])
    answer(['192.0.2.4'])
    await name.lookAgain(false)
    expect(addressesIn(name.places)).toEqual(['192.0.2.4'])
  })

  it('a wish that comes while it is looked up is granted after it, once', async () => {
    const { name, answer, asked } = known(['192.0.2.1'])
    answer(['192.0.2.1'])
    await Promise.all([name.lookAgain(false), name.lookAgain(false), name.lookAgain(false)])
    expect(asked()).toBe(2)
  })

  it('a literal is never looked up', async () => {
    const { name, asked } = known(['192.0.2.1'], '192.0.2.1')
    await name.lookAgain(false)
    expect(asked()).toBe(0)
  })
})

function known(addresses: readonly string[], written = 'gw.example') {
  let next: readonly string[] | Error = []
  let [changes, asked] = [0, 0]
  const problems: string[] = []
  const name = new GatewayName(places(addresses), {
    name: written,
    async resolve() {
      asked++
      await Promise.resolve()
      if (next instanceof Error) throw next
      return places(next)
    },
    onChange: () => void changes++,
    onProblem: (reason) => problems.push(reason),
  })
  const answer = (what: readonly string[] | Error): void => {
    next = what
  }
  return { name, answer, problems, changes: () => changes, asked: () => asked }
}

const places = (addresses: readonly string[]): Place[] => addresses.map((address) => ({ address }))
