import { describe, expect, it } from 'vitest'
import {
  createEapPeer,
  createEapServer,
  decodePacket,
  EapError,
  type EapMachine,
  type EapPeerMethod,
  type EapServerMethod,
  type EapUser,
  encodePacket,
  md5ChallengePeer,
  md5ChallengeServer,
  mschapv2Peer,
  mschapv2Server,
} from '../src/index.ts'
import { converse, counting } from './support.ts'

const WHO = { name: 'anna', password: 'a word' }
const USER: EapUser = { password: Uint8Array.from(Buffer.from(WHO.password)) }
const peer = (...methods: EapPeerMethod[]): EapMachine => createEapPeer({ identity: 'anna', methods, random: counting(1) })
const server = (...methods: EapServerMethod[]): EapMachine =>
  createEapServer({ methods, users: { find: (identity) => (identity === 'anna' ? USER : undefined) }, random: counting(2) })

describe('RFC 3748 §4 packets', () => {
  it('RFC 3748 §4: what is encoded is decoded; codes and types that are not known are kept; padding is not looked at', () => {
    for (const packet of [
      { code: 1, identifier: 7, type: 200, data: Uint8Array.of(1, 2, 3) },
      { code: 3, identifier: 255, data: new Uint8Array(0) },
      { code: 9, identifier: 0, data: Uint8Array.of(5) },
    ]) {
      expect(decodePacket(encodePacket(packet))).toEqual(packet)
      expect(decodePacket(Uint8Array.from([...encodePacket(packet), 0, 0]))).toEqual(packet)
    }
  })

  it.each([[[]], [[1, 2, 0]], [[1, 2, 0, 4]], [[1, 2, 0, 9, 1]], [[3, 1, 0, 3]]])('RFC 3748 §4: %j is none', (octets) => {
    expect(() => decodePacket(Uint8Array.from(octets))).toThrow(EapError)
  })
})

describe('RFC 3748 §5.3.1 Nak', () => {
  it('RFC 3748 §5.3.1: the peer names what it would rather have, and gets it', () => {
    const said = converse(server(mschapv2Server({ name: 'gw' }), md5ChallengeServer()), peer(md5ChallengePeer(WHO)))
    expect(said.packets[3]!.subarray(4)).toEqual(Uint8Array.of(3, 4))
    expect(said.server).toMatchObject({ kind: 'success', method: 4 })
    expect(said.peer).toMatchObject({ kind: 'success', method: 4 })
    expect('msk' in said.peer).toBe(false)
  })

  it('RFC 3748 §5.3.1: where there is none that both have, it fails', () => {
    const said = converse(server(mschapv2Server({ name: 'gw' })), peer(md5ChallengePeer(WHO)))
    expect(said.server).toMatchObject({ kind: 'failure', reason: 'it wants another method than is offered here: of type 4' })
    const none = converse(server(mschapv2Server({ name: 'gw' })), peer())
    expect(none.packets[3]!.subarray(4)).toEqual(Uint8Array.of(3, 0))
    expect(none.server).toMatchObject({ kind: 'failure', reason: expect.stringMatching(/of type none/) })
  })

  it('RFC 3748 §5.3.2: to an Expanded Type, an Expanded Nak with what would do, or with none', () => {
    const asked = encodePacket({ code: 1, identifier: 5, type: 254, data: Uint8Array.of(0, 1, 55, 0, 0, 0, 9, 1, 2) })
    const nak = (...types: number[]): object => ({
      kind: 'send',
      packet: encodePacket({ code: 2, identifier: 5, type: 254, data: Uint8Array.of(0, 0, 0, 0, 0, 0, 3, ...types) }),
    })
    expect(peer(mschapv2Peer(WHO), md5ChallengePeer(WHO)).receive(asked)).toEqual(nak(254, 0, 0, 0, 0, 0, 0, 26, 254, 0, 0, 0, 0, 0, 0, 4))
    expect(peer().receive(asked)).toEqual(nak(254, 0, 0, 0, 0, 0, 0, 0))
  })

  it('RFC 3748 §2: an identity that is known is not asked for', () => {
    const users = { find: (identity: string) => (identity === 'anna' ? USER : undefined) }
    const machine = createEapServer({ methods: [md5ChallengeServer()], users, random: counting(2), identity: 'anna' })
    const said = converse(machine, peer(md5ChallengePeer(WHO)))
    expect(said.packets.map((packet) => packet[4])).toEqual([4, 4, undefined])
    expect(said.server).toMatchObject({ kind: 'success', identity: 'anna' })
  })

  it('RFC 3748 §2.1: no Nak after the method was taken', () => {
    const machine = server(mschapv2Server({ name: 'gw' }), md5ChallengeServer())
    const said = converse(machine, peer(mschapv2Peer(WHO)), (packet, index) =>
      index === 5 ? encodePacket({ code: 2, identifier: packet[1]!, type: 3, data: Uint8Array.of(4) }) : packet,
    )
    expect(said.server).toEqual({ kind: 'ignore', reason: 'a response of type 3 within type 26' })
  })
})

describe('RFC 3748 §4.1, §5 what a peer makes of requests', () => {
  const request = (identifier: number, type: number, ...data: number[]): Uint8Array =>
    encodePacket({ code: 1, identifier, type, data: Uint8Array.from(data) })

  it('RFC 3748 §4.1: a request that comes again gets the same response', () => {
    const machine = peer(mschapv2Peer(WHO))
    machine.receive(request(1, 1))
    const challenge = request(2, 26, 1, 2, 0, 21, 16, ...new Uint8Array(16))
    expect(machine.receive(challenge)).toEqual(machine.receive(challenge))
  })

  it('RFC 3748 §5.1, §5.2: who we are, and a notification that is acknowledged', () => {
    const machine = peer(mschapv2Peer(WHO))
    expect(machine.receive(request(1, 2, 104, 105))).toEqual({ kind: 'send', packet: Uint8Array.of(2, 1, 0, 5, 2) })
    expect(machine.receive(request(2, 1))).toEqual({ kind: 'send', packet: Uint8Array.of(2, 2, 0, 9, 1, 97, 110, 110, 97) })
  })

  it('RFC 3748 §5.3: a Nak of a server, another code, and a method within another are ignored', () => {
    const machine = peer(mschapv2Peer(WHO), md5ChallengePeer(WHO))
    expect(machine.receive(request(1, 3, 4)).kind).toBe('ignore')
    expect(machine.receive(Uint8Array.of(2, 1, 0, 5, 1)).kind).toBe('ignore')
    expect(machine.receive(Uint8Array.of(1, 1, 0)).kind).toBe('ignore')
    machine.receive(request(2, 26, 1, 2, 0, 21, 16, ...new Uint8Array(16)))
    expect(machine.receive(request(3, 4, 2, 1, 1)).kind).toBe('ignore')
  })

  it('RFC 3748 §4.2: EAP-Success before anything is not believed, EAP-Failure is', () => {
    expect(peer(md5ChallengePeer(WHO)).receive(Uint8Array.of(3, 1, 0, 4)).kind).toBe('ignore')
    expect(peer(md5ChallengePeer(WHO)).receive(Uint8Array.of(4, 1, 0, 4)).kind).toBe('failure')
  })
})

describe('RFC 3748 §5.4 MD5-Challenge', () => {
  it('RFC 3748 §5.4: a wrong password fails, and makes no key where it is right', () => {
    const wrong = converse(server(md5ChallengeServer()), peer(md5ChallengePeer({ ...WHO, password: 'another' })))
    expect(wrong.server).toMatchObject({ kind: 'failure', reason: 'the password of "anna" is wrong' })
    expect(wrong.peer.kind).toBe('failure')
    expect(converse(server(md5ChallengeServer()), peer(md5ChallengePeer(WHO))).server).toEqual({
      kind: 'success',
      packet: expect.any(Uint8Array),
      identity: 'anna',
      method: 4,
    })
  })
})

describe('RFC 3748 §4.1 what a server makes of responses', () => {
  it('RFC 3748 §4.2: after EAP-Failure there is no second guess', () => {
    const machine = server(md5ChallengeServer())
    const right = converse(machine, peer(md5ChallengePeer({ ...WHO, password: 'another' })))
    expect(right.server.kind).toBe('failure')
    const challenge = right.packets[2]!
    const answer = peer(md5ChallengePeer(WHO)).receive(challenge)
    expect(answer.kind === 'send' && machine.receive(answer.packet)).toEqual({ kind: 'ignore', reason: 'the conversation is over' })
  })

  it('RFC 3748 §4.1: another Identifier, a request, and another type than Identity at first are ignored', () => {
    const machine = server(md5ChallengeServer())
    const started = machine.start()
    const id = started.kind === 'send' ? started.packet[1]! : 0
    const response = (identifier: number, type: number): Uint8Array => encodePacket({ code: 2, identifier, type, data: Uint8Array.of(97) })
    expect(machine.receive(response(id ^ 1, 1)).kind).toBe('ignore')
    expect(machine.receive(response(id, 4)).kind).toBe('ignore')
    expect(machine.receive(response(id, 1).with(0, 1)).kind).toBe('ignore')
    expect(machine.receive(response(id, 1)).kind).toBe('send')
  })
})
