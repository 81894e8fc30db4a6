import { describe, expect, it } from 'vitest'
import type { ConnectionId, Output } from '../../src/contract.ts'
import { MemoryStream, makeBench, REMOTE, turn } from './scripted-core.ts'

const open = (connection: ConnectionId): Output => ({ kind: 'open-connection', connection, remote: REMOTE, framing: 'rfc9329' })
const write = (connection: ConnectionId, ...octets: number[]): Output => ({
  kind: 'write-connection',
  connection,
  bytes: Uint8Array.from(octets),
})
const close = (connection: ConnectionId, how: 'end' | 'reset'): Output => ({ kind: 'close-connection', connection, how })

/** A bench whose core opens connection 2 when told to initiate. */
function dialling() {
  const bench = makeBench()
  bench.core.answer = () => [open(2)]
  bench.driver.command({ kind: 'initiate', peer: 'office' })
  bench.core.answer = () => undefined
  return { ...bench, dial: bench.dials[0]!, since: () => bench.core.log.slice(1) }
}

function accepting() {
  const bench = makeBench()
  const stream = new MemoryStream()
  const handlers = bench.driver.acceptConnection(stream, 'rfc9329')
  return { ...bench, stream, handlers, since: () => bench.core.log.slice(1) }
}

const poke = { kind: 'check-liveness' } as const

describe('connections the core opens', () => {
  it('are reported open with role originator; octets that came early follow', async () => {
    const { dial, since } = dialling()
    dial.handlers.onData(Uint8Array.of(1))
    await dial.open(new MemoryStream())
    dial.handlers.onData(Uint8Array.of(2))
    expect(since()).toEqual(['0 opened 2 originator rfc9329 198.51.100.7', '0 bytes 2: 1', '0 bytes 2: 2'])
  })

  it('that cannot open are reported closed once, with the reason', async () => {
    const { dial, since } = dialling()
    await dial.fail(new Error('connection refused'))
    dial.handlers.onClose(new Error('connection refused'))
    expect(since()).toEqual(['0 closed 2 failed: connection refused'])
  })

  it('and closes before they are open are given up without a word', async () => {
    const { core, driver, dial, since } = dialling()
    core.answer = () => [close(2, 'end')]
    driver.command(poke)
    expect(dial.isCancelled).toBe(true)
    const late = new MemoryStream()
    await dial.open(late)
    expect(late.calls).toEqual(['reset'])
    expect(since()).toEqual(['0 command check-liveness'])
  })
})

describe('connections the driver accepts', () => {
  it('get odd numbers and role responder', () => {
    const { core, driver } = accepting()
    driver.acceptConnection(new MemoryStream(), '3gpp-ftt')
    expect(core.log).toEqual(['0 opened 1 responder rfc9329 198.51.100.7', '0 opened 3 responder 3gpp-ftt 198.51.100.7'])
  })
})

describe('writes', () => {
  it('that follow each other on one connection leave as one', () => {
    const { core, driver, stream } = accepting()
    const other = new MemoryStream()
    driver.acceptConnection(other, 'rfc9329')
    core.answer = () => [write(1, 1), write(1, 2, 3), write(3, 4), write(1, 5)]
    driver.command(poke)
    expect(stream.calls).toEqual(['write 1 2 3', 'write 5'])
    expect(other.calls).toEqual(['write 4'])
  })

  it('are not joined beyond 65,536 octets', () => {
    const { core, driver, stream } = accepting()
    const large: Output = { kind: 'write-connection', connection: 1, bytes: new Uint8Array(60_000) }
    core.answer = () => [large, write(1, 7), large]
    driver.command(poke)
    expect(stream.calls.map((call) => call.split(' ').length - 1)).toEqual([60_001, 60_000])
  })

  it('leave before the connection is ended', () => {
    const { core, driver, stream } = accepting()
    core.answer = () => [write(1, 1), close(1, 'end')]
    driver.command(poke)
    expect(stream.calls).toEqual(['write 1', 'end'])
  })

  it('to a connection that has gone are counted', () => {
    const { core, driver, handlers } = accepting()
    handlers.onClose()
    core.answer = () => [write(1, 1)]
    driver.command(poke)
    expect(driver.inspect().counters['driver.lateWrites']).toBe(1)
  })
})

describe('flow', () => {
  it('says blocked once until drained, then drained once', () => {
    const { core, driver, stream, handlers, since } = accepting()
    stream.takes = false
    core.answer = (input) => (input.kind === 'command' ? [write(1, 1)] : undefined)
    driver.command(poke)
    driver.command(poke)
    handlers.onDrain()
    handlers.onDrain()
    expect(since()).toEqual(['0 command check-liveness', '0 flow 1 blocked', '0 command check-liveness', '0 flow 1 drained'])
    driver.command(poke)
    expect(since().at(-1)).toBe('0 flow 1 blocked')
  })

  it('asked by the core: drained at once where all was taken, with the room that the stream tells', () => {
    const { core, driver, stream, since } = accepting()
    core.answer = (input) => (input.kind === 'command' ? [write(1, 1), { kind: 'report-flow', connection: 1 }] : undefined)
    driver.command(poke)
    expect(since()).toEqual(['0 command check-liveness', '0 flow 1 drained'])
    stream.room = 3
    driver.command(poke)
    expect(since().slice(2)).toEqual(['0 command check-liveness', '0 flow 1 drained room 3'])
  })

  it('asked of one that is blocked, or gone: nothing but what is told anyway', () => {
    const { core, driver, stream, handlers, since } = accepting()
    stream.takes = false
    core.answer = (input) => (input.kind === 'command' ? [write(1, 1), { kind: 'report-flow', connection: 1 }] : undefined)
    driver.command(poke)
    expect(since()).toEqual(['0 command check-liveness', '0 flow 1 blocked'])
    handlers.onDrain()
    handlers.onClose()
    driver.command(poke)
    expect(since().slice(2)).toEqual(['0 flow 1 drained', '0 closed 1 end: closed', '0 command check-liveness'])
  })
})

describe('RFC 9329 §6.1 (T-LIFE-4): a connection that goes is told exactly once', () => {
  it('FIN, then the close: end, and our half is ended too', () => {
    const { stream, handlers, since } = accepting()
    handlers.onEnd()
    handlers.onData(Uint8Array.of(1))
    handlers.onClose()
    expect(since()).toEqual(['0 closed 1 end: closed by the other end'])
    expect(stream.calls).toEqual(['end'])
  })

  it('RST: reset', () => {
    const { handlers, since } = accepting()
    handlers.onClose(new Error('ECONNRESET'))
    handlers.onEnd()
    handlers.onClose()
    expect(since()).toEqual(['0 closed 1 reset: ECONNRESET'])
  })

  it('a write that throws counts as a reset', () => {
    const { core, driver, stream, handlers, since } = accepting()
    stream.write = () => {
      throw new Error('EPIPE')
    }
    core.answer = (input) => (input.kind === 'command' ? [write(1, 1)] : undefined)
    driver.command(poke)
    handlers.onClose(new Error('EPIPE'))
    expect(since().slice(1)).toEqual(['0 closed 1 reset: EPIPE'])
  })

  it.each(['end', 'reset'] as const)('not at all where the core closed it (%s)', (how) => {
    const { core, driver, stream, handlers, since } = accepting()
    core.answer = () => [close(1, how)]
    driver.command(poke)
    handlers.onData(Uint8Array.of(1))
    handlers.onEnd()
    handlers.onClose(new Error('late'))
    expect(since()).toEqual(['0 command check-liveness'])
    expect(stream.calls).toEqual([how])
  })

  it('nor where its end and its octets were already waiting in the mailbox', () => {
    const { core, driver, tun, handlers, since } = accepting()
    tun.onWrite = () => {
      handlers.onData(Uint8Array.of(1))
      handlers.onEnd()
    }
    core.answer = () => [
      { kind: 'write-tun', batch: { buffer: new Uint8Array(), offsets: new Uint32Array(), lengths: new Uint32Array(), count: 0 } },
      close(1, 'end'),
    ]
    driver.command(poke)
    expect(since()).toEqual(['0 command check-liveness'])
  })
})

describe('lingering', () => {
  it('an ended connection that does not close is reset after the linger time, each in its turn', async () => {
    const { core, clock, driver, stream } = accepting()
    const second = new MemoryStream()
    driver.acceptConnection(second, 'rfc9329')
    const third = new MemoryStream()
    const thirdHandlers = driver.acceptConnection(third, 'rfc9329')
    core.answer = () => [close(1, 'end')]
    driver.command(poke)
    clock.advanceTo(1_000)
    core.answer = () => [close(3, 'end'), close(5, 'end')]
    driver.command(poke)
    thirdHandlers.onClose()
    clock.advanceTo(5_000)
    expect([stream.calls, second.calls]).toEqual([['end', 'reset'], ['end']])
    clock.advanceTo(6_000)
    expect(second.calls).toEqual(['end', 'reset'])
    expect(third.calls).toEqual(['end'])
    expect(clock.pending).toBe(0)
    await turn()
  })
})
