import type { EapMachine, EapWorkResult } from '@underpass/eap'
import { describe, expect, it } from 'vitest'
import { createEapRelay } from '../src/index.ts'

const random = (length: number): Uint8Array => new Uint8Array(length).fill(0x41)
const IDENTITY = Uint8Array.of(2, 0x41, 0, 9, 1, 97, 110, 110, 97)
const CHALLENGE: EapWorkResult = { kind: 'relay', outcome: 'challenge', packet: Uint8Array.of(1, 5, 0, 6, 26, 0), state: Uint8Array.of(9) }
const RESPONSE = Uint8Array.of(2, 5, 0, 6, 26, 1)

function asked(): EapMachine {
  const machine = createEapRelay(random)
  machine.start()
  machine.receive(IDENTITY)
  return machine
}

function challenged(): EapMachine {
  const machine = asked()
  machine.resume(CHALLENGE)
  machine.receive(RESPONSE)
  return machine
}

describe('RFC 3579 §2.1 the relay between IKE and RADIUS', () => {
  it('RFC 3579 §2.1: it asks who it is, and hands the answer on with the name in it', () => {
    const machine = createEapRelay(random)
    expect(machine.start()).toEqual({ kind: 'send', packet: Uint8Array.of(1, 0x41, 0, 5, 1) })
    expect(machine.receive(IDENTITY)).toEqual({ kind: 'work', work: { kind: 'relay', packet: IDENTITY, identity: 'anna' } })
  })

  it('RFC 3579 §2.1: challenges go on to the peer, and its responses back with the State', () => {
    const machine = asked()
    expect(machine.resume(CHALLENGE)).toEqual({ kind: 'send', packet: Uint8Array.of(1, 5, 0, 6, 26, 0) })
    expect(machine.receive(RESPONSE)).toEqual({
      kind: 'work',
      work: { kind: 'relay', packet: RESPONSE, identity: 'anna', state: Uint8Array.of(9) },
    })
  })

  it('RFC 3579 §2.6: Access-Accept is success, by the last method, as the server names the user', () => {
    const msk = new Uint8Array(64).fill(3)
    const packet = Uint8Array.of(3, 5, 0, 4)
    const grant = { addresses: [Uint8Array.of(10, 8, 0, 7)], sessionTimeout: 60 }
    expect(challenged().resume({ kind: 'relay', outcome: 'accept', packet, msk, identity: 'Anna', grant })).toEqual({
      kind: 'success',
      packet,
      msk,
      identity: 'Anna',
      method: 26,
      grant,
    })
    expect(challenged().resume({ kind: 'relay', outcome: 'accept', packet: new Uint8Array(0) })).toEqual({
      kind: 'success',
      packet,
      identity: 'anna',
      method: 26,
    })
  })

  it.each([
    ['Access-Reject', { kind: 'relay', outcome: 'reject', packet: Uint8Array.of(4, 5, 0, 4) }],
    ['EAP-Failure in Access-Accept (§2.6.3)', { kind: 'relay', outcome: 'accept', packet: Uint8Array.of(4, 5, 0, 4) }],
    ['EAP-Success in Access-Reject (§2.6.3)', { kind: 'relay', outcome: 'reject', packet: Uint8Array.of(3, 5, 0, 4) }],
    ['EAP-Success in Access-Challenge', { kind: 'relay', outcome: 'challenge', packet: Uint8Array.of(3, 5, 0, 4) }],
    ['no server that answers', { kind: 'failed', detail: 'nobody answers' }],
  ] as [string, EapWorkResult][])('RFC 3579 §2.6: %s is failure', (_, result) => {
    expect(challenged().resume(result)).toMatchObject({ kind: 'failure', packet: Uint8Array.of(4, 5, 0, 4) })
  })

  it('RFC 3748 §4.1: a wrong Identifier, no response, and another type than Identity at first are ignored', () => {
    const machine = createEapRelay(random)
    machine.start()
    for (const packet of [IDENTITY.with(1, 0x42), IDENTITY.with(0, 1), IDENTITY.with(4, 26), IDENTITY.subarray(0, 4)])
      expect(machine.receive(packet).kind).toBe('ignore')
    expect(machine.receive(IDENTITY).kind).toBe('work')
  })

  it('RFC 7296 §2.12: close() overwrites the MSK', () => {
    const machine = challenged()
    const msk = new Uint8Array(64).fill(3)
    machine.resume({ kind: 'relay', outcome: 'accept', packet: new Uint8Array(0), msk })
    machine.close()
    expect(msk).toEqual(new Uint8Array(64))
  })
})
