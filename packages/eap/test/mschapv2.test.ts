import { describe, expect, it } from 'vitest'
import {
  createEapPeer,
  createEapServer,
  type EapMachine,
  type EapUser,
  mschapv2Peer,
  mschapv2Server,
  ntPasswordHash,
} from '../src/index.ts'
import { type Conversation, converse, counting } from './support.ts'

const PASSWORD = 'Jäger🙂 and so on'

function server(users: Readonly<Record<string, EapUser>>): EapMachine {
  const find = (identity: string): EapUser | undefined => users[identity]
  return createEapServer({ methods: [mschapv2Server({ name: 'gw' })], users: { find }, random: counting(1) })
}

function peer(password = PASSWORD, name = 'anna', identity = name): EapMachine {
  return createEapPeer({ identity, methods: [mschapv2Peer({ name, password })], random: counting(2) })
}

const KNOWN = { anna: { ntHash: ntPasswordHash(PASSWORD) } }
const mskOf = ({ peer: step }: Conversation): string => (step.kind === 'success' ? Buffer.from(step.msk!).toString('hex') : '')

describe('draft-kamath-pppext-eap-mschapv2 both ends', () => {
  it('RFC 2759 §4: challenge, response and success make one MSK at both', () => {
    const said = converse(server(KNOWN), peer())
    expect(said.peer).toMatchObject({ kind: 'success', identity: 'anna', method: 26 })
    expect(said.server).toMatchObject({ kind: 'success', identity: 'anna', method: 26 })
    expect(said.server.kind === 'success' && said.server.msk).toEqual(said.peer.kind === 'success' && said.peer.msk)
    expect(mskOf(said)).toMatch(/^[0-9a-f]{64}0{64}$/)
    expect(said.packets.map((packet) => [packet[0], packet[4], packet[5]])).toEqual([
      [1, 1, undefined],
      [2, 1, 97],
      [1, 26, 1],
      [2, 26, 2],
      [1, 26, 3],
      [2, 26, 3],
      [3, undefined, undefined],
    ])
  })

  it('RFC 2759 §8.3: a password will do in the place of its hash', () => {
    expect(converse(server({ anna: { password: Buffer.from(PASSWORD) } }), peer()).peer.kind).toBe('success')
  })

  it('RFC 2759 §4: who has a domain before the name is found with it or without', () => {
    expect(converse(server(KNOWN), peer(PASSWORD, 'CORP\\anna')).server).toMatchObject({ kind: 'success', identity: 'CORP\\anna' })
  })

  it('RFC 2759 §6: a wrong password is E=691, for both to tell', () => {
    const said = converse(server(KNOWN), peer('another'))
    expect(said.peer).toEqual({ kind: 'failure', reason: 'the server refuses: the name or the password is wrong' })
    expect(said.server).toMatchObject({ kind: 'failure', reason: 'the password of "anna" is wrong' })
    expect(Buffer.from(said.packets[4]!).toString('latin1')).toMatch(/E=691 R=0 C=[0-9A-F]{32} V=3 M=refused$/)
  })

  it('RFC 2759 §6: who is not known is told the same', () => {
    const said = converse(server({}), peer())
    expect(said.peer).toEqual({ kind: 'failure', reason: 'the server refuses: the name or the password is wrong' })
    expect(said.server).toMatchObject({ kind: 'failure', reason: 'no user is "anna"' })
  })

  it('RFC 2759 §4: the name that counts is the one that has the password, whatever the identity was', () => {
    const said = converse(server({ ...KNOWN, root: { ntHash: ntPasswordHash('of root') } }), peer(PASSWORD, 'anna', 'root'))
    expect(said.server).toMatchObject({ kind: 'success', identity: 'anna' })
  })

  it('RFC 2759 §5: a server without the password is not believed, whatever it says', () => {
    const said = converse(server(KNOWN), peer(), (packet, index) => (index === 4 ? packet.with(12, packet[12]! ^ 1) : packet))
    expect(said.peer).toMatchObject({ kind: 'failure', reason: expect.stringMatching(/does not show that it has the password/) })
  })

  it('RFC 3748 §4.2: EAP-Success in the place of the method’s is not believed', () => {
    const said = converse(server(KNOWN), peer(), (packet, index) => (index === 4 ? Uint8Array.of(3, packet[1]!, 0, 4) : packet))
    expect(said.peer).toEqual({ kind: 'ignore', reason: 'EAP-Success before the method has ended' })
  })

  it('RFC 2759 §4: a response to another challenge is wrong', () => {
    const said = converse(server(KNOWN), peer(), (packet, index) => (index === 2 ? packet.with(12, packet[12]! ^ 1) : packet))
    expect(said.server.kind).toBe('failure')
  })

  it('RFC 7296 §2.12: close() overwrites the MSK of both', () => {
    const [one, other] = [server(KNOWN), peer()]
    const said = converse(one, other)
    for (const machine of [one, other, one]) machine.close()
    for (const step of [said.peer, said.server]) expect(step.kind === 'success' && step.msk).toEqual(new Uint8Array(64))
  })

  it('RFC 2759 §4, §5: random changes of what is said never throw; where both end well, they have one MSK', () => {
    const random = counting(3)
    for (let i = 0; i < 400; i++) {
      const [at, where, what] = [random(1)[0]! % 6, random(1)[0]!, random(1)[0]!]
      const said = converse(server(KNOWN), peer(), (packet, index) => {
        if (index !== at) return packet
        return what < 32
          ? packet.subarray(0, where % packet.length)
          : packet.with(where % packet.length, packet[where % packet.length]! ^ (what || 1))
      })
      // An identity, a name of the server and words for people are not what is proved.
      if (said.peer.kind === 'success' && said.server.kind === 'success') expect(said.peer.msk).toEqual(said.server.msk)
    }
  })
})
