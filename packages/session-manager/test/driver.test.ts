import { describe, expect, it } from 'vitest'
import type { Output } from '../src/contract.ts'
import { batchOf, LOCAL, MemoryStream, MemoryTunPort, makeBench, packetsOf, REMOTE, turn } from './driver/scripted-core.ts'

const event: Output = { kind: 'event', event: { kind: 'liveness', ikeSa: 'a', peer: 'office', result: 'alive' } }
const toTun = (...packets: number[][]): Output => ({ kind: 'write-tun', batch: batchOf(...packets) })

describe('one mailbox', () => {
  it('hands in one input at a time; what arrives while one is drained waits its turn, in order and copied', () => {
    const { core, driver, tun } = makeBench()
    const lent = Uint8Array.of(1, 2)
    const lentBatch = batchOf([0x45, 1], [0x60])
    tun.onWrite = () => {
      driver.datagramReceived(LOCAL, REMOTE, 'ike', lent)
      const esp = batchOf([5], [6, 7])
      driver.espDatagramsReceived(LOCAL, REMOTE, esp)
      esp.buffer.fill(0)
      tun.deliver({ ...lentBatch, buffer: Uint8Array.of(7, ...lentBatch.buffer), offsets: lentBatch.offsets.map((offset) => offset + 1) })
      lent.fill(0)
    }
    driver.onEvent(() => driver.command({ kind: 'check-liveness' }))
    let rounds = 0
    core.answer = (input) => (input.kind === 'command' && rounds++ === 0 ? [toTun([9]), event] : undefined)

    driver.command({ kind: 'initiate', peer: 'office' })

    expect(core.log).toEqual([
      '0 command initiate',
      '0 datagram ike 4500 < 40000: 1 2',
      '0 esp 4500 < 40000: 5 | 6 7',
      '0 tun 69 1 | 96',
      '0 command check-liveness',
    ])
    expect(tun.calls).toEqual(['start', 'write 9'])
  })

  it('keeps what comes before start(), and first drains what the core has to say by itself', () => {
    const { core, driver, tun, sent } = makeBench({ isStarted: false })
    core.say({ kind: 'send-datagram', local: LOCAL, remote: REMOTE, message: 'ike', bytes: Uint8Array.of(1) })
    driver.command({ kind: 'initiate', peer: 'office' })
    driver.datagramReceived(LOCAL, REMOTE, 'esp', Uint8Array.of(5))
    expect([core.log, sent, tun.calls]).toEqual([[], [], []])
    driver.start()
    expect(core.log).toEqual(['0 command initiate', '0 datagram esp 4500 < 40000: 5'])
    expect(sent).toEqual(['4500 > 40000 ike 1'])
    expect(tun.calls).toEqual(['start'])
  })

  it('sends datagrams and batches through the port', () => {
    const { core, driver, sent } = makeBench()
    core.answer = () => [
      { kind: 'send-datagram', local: LOCAL, remote: REMOTE, message: 'ike', bytes: Uint8Array.of(1) },
      { kind: 'send-esp-datagrams', local: LOCAL, remote: REMOTE, batch: batchOf([2], [3]) },
    ]
    driver.datagramReceived(LOCAL, REMOTE, 'ike', Uint8Array.of(0))
    expect(sent).toEqual(['4500 > 40000 ike 1', '4500 > 40000 esp 2 | 3'])
  })
})

describe('RFC 7296 §2.4 (C-8): ICMP is a hint', () => {
  it('a datagram that the system refuses (ECONNREFUSED) is told once, counted, and handed in behind what is being drained', () => {
    const { core, driver, failures, refuseDatagrams } = makeBench()
    refuseDatagrams(Object.assign(new Error('send ECONNREFUSED'), { code: 'ECONNREFUSED' }))
    core.answer = (input) =>
      input.kind === 'command'
        ? [
            { kind: 'send-datagram', local: LOCAL, remote: REMOTE, message: 'ike', bytes: Uint8Array.of(1) },
            { kind: 'send-esp-datagrams', local: LOCAL, remote: REMOTE, batch: batchOf([2]) },
          ]
        : undefined
    driver.command({ kind: 'check-liveness' })
    driver.command({ kind: 'check-liveness' })
    const hint = '0 failed 4500 > 40000: send ECONNREFUSED'
    expect(core.log).toEqual(['0 command check-liveness', hint, hint, '0 command check-liveness', hint, hint])
    expect(failures).toMatchObject([{ code: 'DATAGRAM_FAILED', isFatal: false }])
    expect(driver.inspect().counters['driver.datagramFailed']).toBe(4)
    expect(driver.failure).toBeUndefined()
  })

  it('what a socket says later is handed in with the remote, where it knows it', () => {
    const { core, driver } = makeBench()
    const { address, port } = REMOTE
    driver.datagramFailed(LOCAL, Object.assign(new Error('port unreachable'), { code: 'REFUSED', context: { address, port } }))
    driver.datagramFailed(LOCAL, Object.assign(new Error('EPERM'), { code: 'PERMISSION_DENIED', context: { systemCode: 'EPERM' } }))
    driver.datagramFailed(LOCAL, Object.assign(new Error('send ENETUNREACH'), { code: 'ENETUNREACH', address, port }))
    expect(core.log).toEqual([
      '0 failed 4500 > 40000: port unreachable',
      '0 failed 4500 > anybody: EPERM',
      '0 failed 4500 > 40000: send ENETUNREACH',
    ])
  })

  it('a packet that is too long says nothing of the way, and is only counted', () => {
    const { core, driver } = makeBench()
    driver.datagramFailed(LOCAL, Object.assign(new Error('70000 octets'), { code: 'MESSAGE_TOO_LONG', context: REMOTE }))
    expect(core.log).toEqual([])
    expect(driver.inspect().counters['driver.datagramFailed']).toBe(1)
  })
})

describe('one clock', () => {
  it('hands in a timeout when the time has come, and sets the timer only for an earlier time', () => {
    const { core, clock, driver } = makeBench()
    const poke = () => driver.datagramReceived(LOCAL, REMOTE, 'keepalive', Uint8Array.of())
    core.waitUntil = 100
    poke()
    poke()
    expect(clock.scheduled).toBe(1)
    core.waitUntil = 200
    poke()
    expect(clock.scheduled).toBe(1)
    clock.advanceTo(150)
    expect(core.log.filter((line) => line.includes('timeout'))).toEqual([])
    core.waitUntil = Number.POSITIVE_INFINITY
    clock.advanceTo(300)
    expect(core.log.filter((line) => line.includes('timeout'))).toEqual(['200 timeout'])
    expect(clock.pending).toBe(0)
  })

  it('sets an earlier time anew, and takes the timer away for Infinity', () => {
    const { core, clock, driver } = makeBench()
    core.waitUntil = 100
    driver.command({ kind: 'check-liveness' })
    core.waitUntil = 50
    driver.command({ kind: 'check-liveness' })
    expect([clock.scheduled, clock.pending]).toEqual([2, 1])
    core.waitUntil = Number.POSITIVE_INFINITY
    driver.command({ kind: 'check-liveness' })
    clock.advanceTo(1000)
    expect(core.log.at(-1)).toBe('0 command check-liveness')
  })
})

describe('the TUN', () => {
  it('drops and counts packets while there is no device, then uses the one attached', () => {
    const { core, driver, tun } = makeBench()
    driver.attachTun(undefined)
    core.answer = () => [toTun([1], [2])]
    driver.command({ kind: 'check-liveness' })
    expect(driver.inspect().counters).toMatchObject({ core: 1, 'driver.tunUnattached': 2 })
    const device = new MemoryTunPort()
    driver.attachTun(device)
    driver.command({ kind: 'check-liveness' })
    expect(device.calls).toEqual(['start', 'write 1 | 2'])
    tun.deliver(batchOf([3]))
    expect(core.log.at(-1)).toBe('0 command check-liveness')
  })

  it('packets that the core has no Child SA for go to whoever may have one; theirs come marked', () => {
    const unmatched: string[] = []
    const { core, driver, tun } = makeBench({ unmatched: (batch) => unmatched.push(packetsOf(batch)) })
    core.answer = (input) =>
      input.kind === 'tun-packets' && !input.isHandedOver ? [{ kind: 'unmatched-packets', batch: input.batch }] : []
    tun.deliver(batchOf([1, 2], [3]))
    expect(unmatched).toEqual(['1 2 | 3'])
    driver.packetsHandedOver(batchOf([4]))
    expect(core.log.slice(-2)).toEqual(['0 tun 1 2 | 3', '0 tun handed over 4'])
    expect(unmatched).toHaveLength(1)
  })

  it('reports a device that fails once, and counts the rest', () => {
    const { core, driver, tun, failures } = makeBench()
    tun.onWrite = () => {
      throw new Error('EIO')
    }
    core.answer = () => [toTun([1])]
    driver.command({ kind: 'check-liveness' })
    driver.command({ kind: 'check-liveness' })
    expect(failures).toMatchObject([{ code: 'TUN_FAILED', isFatal: false }])
    expect(driver.inspect().counters['driver.tunFailed']).toBe(2)
  })
})

describe('crypto jobs', () => {
  const job: Output = { kind: 'crypto-job', job: 4, work: { kind: 'ke-initiate', method: 31 } }

  it('hands in a result that comes at once only after the drain', () => {
    const { core, driver } = makeBench({ crypto: () => ({ kind: 'ke-completed', sharedSecret: Uint8Array.of() }) })
    core.answer = (input) => (input.kind === 'command' ? [job, event] : undefined)
    driver.command({ kind: 'initiate', peer: 'office' })
    expect(core.log).toEqual(['0 command initiate', '0 crypto 4 ke-completed'])
  })

  it.each([
    ['a promise', async () => ({ kind: 'ke-completed' as const, sharedSecret: Uint8Array.of() }), 'crypto 4 ke-completed'],
    ['a rejection', async () => Promise.reject(new Error('group 15 is missing')), 'crypto 4 failed: group 15 is missing'],
    [
      'a throw',
      () => {
        throw new Error('no such method')
      },
      'crypto 4 failed: no such method',
    ],
  ])('hands in the outcome of %s', async (_, crypto, expected) => {
    const { core, driver } = makeBench({ crypto })
    core.answer = (input) => (input.kind === 'command' ? [job] : undefined)
    driver.command({ kind: 'initiate', peer: 'office' })
    await turn()
    expect(core.log.slice(1)).toEqual([`0 ${expected}`])
  })
})

describe('failures', () => {
  it('stops on a throw out of the core, reports it, and hears nothing more', () => {
    const { core, clock, driver, tun, failures } = makeBench()
    const stream = new MemoryStream()
    const handlers = driver.acceptConnection(stream, 'rfc9329')
    core.waitUntil = 100
    driver.command({ kind: 'check-liveness' })
    const bug = Object.assign(new Error('impossible state'), { blame: 'bug' })
    core.answer = () => {
      throw bug
    }
    handlers.onData(Uint8Array.of(1))
    expect(failures).toEqual([{ code: 'CORE_FAILED', isFatal: true, error: bug }])
    expect(driver.failure).toBe(failures[0])
    expect(stream.calls).toEqual(['reset'])
    expect(tun.calls.at(-1)).toBe('pause')
    const heard = core.log.length
    handlers.onClose()
    driver.command({ kind: 'check-liveness' })
    clock.advanceTo(1000)
    expect(core.log.length).toBe(heard)
  })

  it('throws to the caller what the caller is to blame for, and goes on', () => {
    const { core, driver, failures } = makeBench()
    const refusal = Object.assign(new Error('no peer "ofice"'), { blame: 'caller' })
    core.answer = (input) => {
      if (input.kind === 'command' && input.command.kind === 'initiate') throw refusal
      return input.kind === 'command' ? [event] : undefined
    }
    expect(() => driver.command({ kind: 'initiate', peer: 'ofice' })).toThrow(refusal)
    driver.onEvent(() => driver.command({ kind: 'initiate', peer: 'ofice' }))
    driver.command({ kind: 'check-liveness' })
    expect(failures).toEqual([{ code: 'COMMAND_REFUSED', isFatal: false, error: refusal }])
    driver.datagramReceived(LOCAL, REMOTE, 'keepalive', Uint8Array.of())
    expect(core.log.at(-1)).toContain('keepalive')
  })

  it('survives a listener that throws; the others still hear', () => {
    const { core, driver, failures } = makeBench()
    const heard: string[] = []
    driver.onEvent(() => {
      throw new Error('log is full')
    })
    const unsubscribe = driver.onEvent((told) => void heard.push(told.kind))
    core.answer = () => [event]
    driver.command({ kind: 'check-liveness' })
    unsubscribe()
    driver.command({ kind: 'check-liveness' })
    expect(heard).toEqual(['liveness'])
    expect(failures.map((failure) => failure.code)).toEqual(['LISTENER_FAILED', 'LISTENER_FAILED'])
  })

  it('RFC 9329 §10 (T-SEC-1): tells once in ten seconds that connections cannot be accepted, and counts each time', () => {
    const { clock, driver, failures } = makeBench()
    const error = new Error('too many open files')
    for (let i = 0; i < 3; i++) driver.acceptFailed(error)
    expect(failures).toEqual([{ code: 'ACCEPT_FAILED', isFatal: false, error }])
    clock.advanceTo(9_999)
    driver.acceptFailed(error)
    expect(failures).toHaveLength(1)
    clock.advanceTo(10_000)
    driver.acceptFailed(error)
    expect(failures).toHaveLength(2)
    expect(driver.inspect().counters['driver.acceptFailed']).toBe(5)
  })
})

describe('RFC 9329 §6.1: stop()', () => {
  it('(T-LIFE-1) terminates, waits for the Deletes, then ends the connections and resolves when they are gone', async () => {
    const { core, clock, driver, tun } = makeBench()
    const stream = new MemoryStream()
    const handlers = driver.acceptConnection(stream, 'rfc9329')
    core.liveSas = 1
    let isStopped = false
    const stopping = driver.stop().then(() => {
      isStopped = true
    })
    expect(core.log.at(-1)).toBe('0 command terminate')
    await turn()
    handlers.onData(Uint8Array.of(1))
    expect(core.log.at(-1)).toBe('0 bytes 1: 1')
    core.liveSas = 0
    clock.advanceTo(20)
    await turn()
    expect([stream.calls, isStopped]).toEqual([['end'], false])
    handlers.onClose()
    await stopping
    expect(tun.calls.at(-1)).toBe('pause')
    expect(clock.pending).toBe(0)
    const refused = new MemoryStream()
    driver.acceptConnection(refused, 'rfc9329')
    expect(refused.calls).toEqual(['reset'])
  })

  it('waits no longer than the grace and the linger', async () => {
    const { core, clock, driver } = makeBench()
    const stream = new MemoryStream()
    driver.acceptConnection(stream, 'rfc9329')
    core.liveSas = 1
    const stopping = driver.stop({ graceMilliseconds: 20 })
    for (const time of [10, 20, 30]) {
      await turn()
      clock.advanceTo(time)
    }
    await turn()
    expect(stream.calls).toEqual(['end'])
    clock.advanceTo(5_030)
    await stopping
    expect(stream.calls).toEqual(['end', 'reset'])
  })

  it('asked for by a listener, lets what is being drained go out first', async () => {
    const { core, driver, sent } = makeBench()
    driver.onEvent(() => void driver.stop())
    core.answer = (input) =>
      input.kind === 'datagram'
        ? [event, { kind: 'send-datagram', local: LOCAL, remote: REMOTE, message: 'ike', bytes: Uint8Array.of(1) }]
        : []
    driver.datagramReceived(LOCAL, REMOTE, 'ike', Uint8Array.of(0))
    await driver.stop()
    expect(sent).toEqual(['4500 > 40000 ike 1'])
    expect(core.log.at(-1)).toBe('0 command terminate')
  })
})
