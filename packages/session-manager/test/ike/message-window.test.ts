import { describe, expect, it } from 'vitest'
import { MessageWindow } from '../../src/ike/message-window.ts'
import { equal } from '../../src/octets.ts'

const NOWHERE = { address: '192.0.2.1', port: 500 }

describe('RFC 7296 §2.2 Use of Sequence Numbers for Message ID', () => {
  it('the initiator goes on with 1 after IKE_SA_INIT, the responder begins its own with 0', () => {
    const initiator = new MessageWindow('initiator')
    const responder = new MessageWindow('responder')
    expect([initiator.takeMessageId(), initiator.takeMessageId()]).toEqual([1, 2])
    expect([responder.takeMessageId(), responder.takeMessageId()]).toEqual([0, 1])
    expect(responder.placeOf(1)).toBe('new')
    expect(initiator.placeOf(0)).toBe('new')
  })
})

describe('RFC 7296 §2.3 Window Size for Overlapping Requests: one', () => {
  it('only the next Message ID is new, and IKE_SA_INIT is none of its business', () => {
    const window = new MessageWindow('responder')
    expect([0, 1, 2, 3, 0xffffffff].map((id) => window.placeOf(id))).toEqual(['outside', 'new', 'outside', 'outside', 'outside'])
  })

  it('after an answer the window moves on: the last is a repetition, those before are outside', () => {
    const window = new MessageWindow('responder')
    window.answer(Uint8Array.of(1), Uint8Array.of(11))
    expect([0, 1, 2, 3].map((id) => window.placeOf(id))).toEqual(['outside', 'repeated', 'new', 'outside'])
    window.answer(Uint8Array.of(2), Uint8Array.of(12))
    expect([0, 1, 2, 3, 4].map((id) => window.placeOf(id))).toEqual(['outside', 'outside', 'repeated', 'new', 'outside'])
  })

  it('a request whose answer is being worked out is pending until it is answered, and the next one outside', () => {
    const window = new MessageWindow('responder')
    window.pending = { request: Uint8Array.of(1), arrival: { transport: 'udp', local: NOWHERE, remote: NOWHERE } }
    expect([0, 1, 2].map((id) => window.placeOf(id))).toEqual(['outside', 'pending', 'outside'])
    window.answer(Uint8Array.of(1), Uint8Array.of(11))
    expect(window.pending).toBeUndefined()
    expect([0, 1, 2].map((id) => window.placeOf(id))).toEqual(['outside', 'repeated', 'new'])
  })

  it('a request that is not answered yet stays new', () => {
    const window = new MessageWindow('initiator')
    expect(window.placeOf(0)).toBe('new')
    expect(window.placeOf(0)).toBe('new')
  })
})

describe('RFC 7296 §2.1 Use of Retransmission Timers', () => {
  it('a repetition gets the same octets; the same Message ID with other octets gets nothing', () => {
    const window = new MessageWindow('responder')
    const response = Uint8Array.of(9, 9)
    window.answer(Uint8Array.of(1, 2, 3), response)
    expect(window.responseTo(Uint8Array.of(1, 2, 3), equal)).toBe(response)
    expect(window.responseTo(Uint8Array.of(1, 2, 4), equal)).toBeUndefined()
    expect(window.responseTo(Uint8Array.of(1, 2), equal)).toBeUndefined()
  })

  it('only the last pair is remembered', () => {
    const window = new MessageWindow('responder')
    window.answer(Uint8Array.of(1), Uint8Array.of(11))
    window.answer(Uint8Array.of(2), Uint8Array.of(12))
    expect(window.responseTo(Uint8Array.of(1), equal)).toBeUndefined()
    expect(window.responseTo(Uint8Array.of(2), equal)).toEqual(Uint8Array.of(12))
  })
})
