import { describe, expect, it } from 'vitest'
import { createEapPeer, encodePacket } from '../src/index.ts'
import { AKA, AKA_PRIME } from '../src/methods/aka/keys.ts'
import {
  type AkaAttribute,
  At,
  decodeMessage,
  encodeMessage,
  flag,
  has,
  numberOf,
  numeric,
  plain,
  plainOf,
} from '../src/methods/aka/message.ts'
import { decrypted, encrypted, packetOf, seal } from '../src/methods/aka/protection.ts'
import { ends, identityOf, subtypes, talk, VARIANTS, watchedUsim } from './aka-support.ts'
import { type Conversation, counting, toHex } from './support.ts'

const FULL = ['Identity', 'Identity', '1', '1', 'code 3']

/** The MSK that both have. */
function mskOf({ peer, server }: Conversation): string {
  if (peer.kind !== 'success' || server.kind !== 'success') throw new Error(JSON.stringify([peer, server]))
  expect(peer.msk).toHaveLength(64)
  expect(toHex(server.msk!)).toBe(toHex(peer.msk!))
  expect(peer.msk!.some((octet) => octet !== 0)).toBe(true)
  return toHex(peer.msk!)
}

const types = (packet: Uint8Array): number[] => decodeMessage(packet.subarray(5)).attributes.map(({ type }) => type)

describe.each(VARIANTS)('RFC 4187 §3 %s', (variant) => {
  it(`RFC 4187 §3, §7 full authentication of ${variant}: both have the MSK, another each time`, () => {
    const both = ends(variant)
    const [first, second] = [talk(both, undefined, identityOf(variant)), talk(both, undefined, identityOf(variant))]
    expect(subtypes(first)).toEqual(FULL)
    expect(subtypes(second)).toEqual(FULL)
    expect(mskOf(first)).not.toBe(mskOf(second))
    expect(first.server).toMatchObject({ identity: identityOf(variant), method: variant === 'EAP-AKA' ? 23 : 50 })
  })

  it(`RFC 4187 §4.1.1.9 ${variant}: the second time it is the pseudonym that goes in the clear, and the server knows who it is`, () => {
    const both = ends(variant)
    talk(both)
    const second = talk(both)
    expect(String.fromCharCode(...second.packets[1]!.subarray(5))).toMatch(
      variant === 'EAP-AKA' ? /^2[0-9a-f]{32}@wlan/ : /^7[0-9a-f]{32}@wlan/,
    )
    expect(second.server).toMatchObject({ kind: 'success', identity: identityOf(variant) })
    mskOf(second)
  })

  it(`RFC 4187 §4.1.4, §4.2.4 ${variant}: a pseudonym that the server has forgotten: the permanent identity is asked for`, () => {
    const both = ends(variant)
    talk(both)
    const other = talk({ peer: both.peer, server: ends(variant).server })
    // The other's home begins with its numbers anew, so the card has it follow.
    expect(subtypes(other)).toEqual(['Identity', 'Identity', '5', '5', '5', '5', '1', '4', '1', '1', 'code 3'])
    expect(other.server).toMatchObject({ kind: 'success', identity: identityOf(variant) })
    mskOf(other)
  })

  it(`RFC 4187 §4.1.1.7 ${variant}: a pseudonym is known when the card has been shown, not before`, () => {
    const both = ends(variant)
    // The response never comes whole, so the server has seen nobody.
    expect(talk(both, (packet, i) => (i === 3 ? packet.with(-1, packet.at(-1)! ^ 1) : packet)).server.kind).toBe('failure')
    const next = talk(both)
    expect(next.packets[1]![5]).toBe((variant === 'EAP-AKA' ? '2' : '7').charCodeAt(0))
    expect(subtypes(next).slice(2)).toEqual(['5', '5', '5', '5', '1', '1', 'code 3'])
    mskOf(next)
  })

  it(`RFC 4187 §6.2, §10.14 AT_RESULT_IND ${variant}: EAP-Success is believed behind the protected notification only`, () => {
    const both = ends(variant, { server: { resultIndication: true } })
    const said = talk(both)
    expect(subtypes(said)).toEqual(['Identity', 'Identity', '1', '1', '12', '12', 'code 3'])
    mskOf(said)
    const early = talk(ends(variant, { server: { resultIndication: true } }), (packet, i) =>
      i === 4 ? Uint8Array.of(3, packet[1]!, 0, 4) : packet,
    )
    expect(early.peer).toEqual({ kind: 'ignore', reason: 'EAP-Success before the method has ended' })
    const forged = talk(ends(variant, { server: { resultIndication: true } }), (packet, i) =>
      i === 4 ? packet.with(-1, packet.at(-1)! ^ 1) : packet,
    )
    expect(subtypes(forged).at(5)).toBe('14')
    expect(forged.server).toMatchObject({ kind: 'failure' })
  })

  it(`RFC 4187 §5 fast re-authentication ${variant}: without the card, as often as the server lets it, and then by the card again`, () => {
    const both = ends(variant, { server: { reauthentications: 2, resultIndication: true } })
    const said = [1, 2, 3, 4].map(() => talk(both))
    expect(said.map((one) => subtypes(one)[2])).toEqual(['1', '13', '13', '1'])
    expect(new Set(said.map(mskOf)).size).toBe(4)
    for (const one of said) expect(one.server).toMatchObject({ kind: 'success', identity: identityOf(variant) })
  })

  it(`RFC 4187 §5.3 ${variant}: a re-authentication that the server has forgotten falls back to full authentication`, () => {
    const both = ends(variant, { server: { reauthentications: 2 } })
    talk(both)
    const other = talk({ peer: both.peer, server: ends(variant).server })
    expect(subtypes(other).slice(2, 4)).toEqual(['5', '5'])
    mskOf(other)
  })

  it(`RFC 4187 §5.5, §10.17 AT_COUNTER_TOO_SMALL ${variant}: the peer says so, and the server goes the whole way in the same conversation`, () => {
    const of = variant === 'EAP-AKA' ? AKA : AKA_PRIME
    const watched = watchedUsim()
    const both = ends(variant, { server: { reauthentications: 3 }, peer: { usim: watched.usim, isPrivate: false } })
    talk(both, undefined, identityOf(variant))
    const keys = of.fullKeys({ identity: identityOf(variant), ...watched.last(), networkName: 'WLAN' })
    let nonceS = new Uint8Array(0)
    const again = (packet: Uint8Array, counter: number, ...more: AkaAttribute[]): Uint8Array => {
      const head = { code: packet[0]!, identifier: packet[1]! }
      const attributes = encrypted(keys, counting(5), [numeric(At.COUNTER, counter), ...more])
      const extra = head.code === 2 ? nonceS : undefined
      return packetOf(of, head, seal(of, keys, head, { subtype: 13, attributes }, extra))
    }
    const said = talk(both, (packet, i) => {
      if (i === 2) {
        nonceS = plainOf(decrypted(keys, decodeMessage(packet.subarray(5))), At.NONCE_S, 16).slice()
        return again(packet, 0, plain(At.NONCE_S, nonceS))
      }
      if (i !== 3) return packet
      // The peer's answer is to the counter that it was shown.
      const nested = decrypted(keys, decodeMessage(packet.subarray(5)))
      expect(numberOf(nested, At.COUNTER)).toBe(0)
      expect(has(nested, At.COUNTER_TOO_SMALL)).toBe(true)
      return again(packet, 1, flag(At.COUNTER_TOO_SMALL))
    })
    expect(subtypes(said)).toEqual(['Identity', 'Identity', '13', '13', '1', '1', 'code 3'])
    mskOf(said)
  })

  it(`RFC 4187 §6.3.1, §10.9 AT_AUTS ${variant}: a card that is ahead says so, and the home follows`, () => {
    const said = talk(ends(variant, { cardSqn: 5_000n << 5n }))
    expect(subtypes(said)).toEqual(['Identity', 'Identity', '1', '4', '1', '1', 'code 3'])
    mskOf(said)
  })

  it(`RFC 4187 §3 ${variant}: a server that has another key is rejected, and fails`, () => {
    const said = talk(ends(variant, { card: { k: new Uint8Array(16).fill(1), opc: new Uint8Array(16) } }))
    expect(subtypes(said)).toEqual(['Identity', 'Identity', '1', '2', 'code 4'])
    expect(said.server).toMatchObject({ kind: 'failure', reason: expect.stringMatching(/does not take AUTN/) })
    expect(said.peer).toMatchObject({ kind: 'failure', reason: expect.stringMatching(/^AUTN was not made by/) })
  })

  it(`RFC 4187 §10.15 AT_MAC ${variant}: a challenge or a response that was changed on the way fails`, () => {
    const changed = (at: number): Conversation =>
      talk(ends(variant), (packet, i) => (i === at ? packet.with(-1, packet.at(-1)! ^ 1) : packet))
    expect(changed(2).peer).toMatchObject({ kind: 'failure', reason: expect.stringMatching(/AT_MAC/) })
    expect(subtypes(changed(2)).at(3)).toBe('14')
    expect(changed(3).server).toMatchObject({ kind: 'failure', reason: expect.stringMatching(/AT_MAC/) })
    expect(subtypes(changed(3)).slice(3)).toEqual(['1', '12', '12', 'code 4'])
  })

  it(`RFC 4187 §10.13 AT_CHECKCODE ${variant}: an identity request that was another on the way fails`, () => {
    const both = ends(variant, { server: { asksIdentity: true } })
    expect(subtypes(talk(both)).slice(2, 4)).toEqual(['5', '5'])
    const said = talk(ends(variant, { server: { asksIdentity: true } }), (packet, i) =>
      i === 2
        ? encodePacket({
            code: 1,
            identifier: packet[1]!,
            type: packet[4]!,
            data: encodeMessage({ subtype: 5, attributes: [{ type: At.PERMANENT_ID_REQ, value: new Uint8Array(2) }] }),
          })
        : packet,
    )
    expect(said.peer).toMatchObject({ kind: 'failure', reason: expect.stringMatching(/AT_CHECKCODE/) })
  })

  it(`RFC 4187 §6.3.2 ${variant}: nobody of that name: all three identities are asked for, a notification, and EAP-Failure`, () => {
    const said = talk(ends(variant, { peer: { identity: '0999@nowhere' } }))
    expect(subtypes(said)).toEqual(['Identity', 'Identity', '5', '5', '5', '5', '12', '12', 'code 4'])
    expect(said.server).toMatchObject({ kind: 'failure', reason: 'no card is known of "0999@nowhere"' })
    expect(said.peer).toMatchObject({ kind: 'failure', reason: 'the server refuses: a general failure' })
  })
})

describe("RFC 9048 §3 what EAP-AKA' has beside", () => {
  const challenge = (said: Conversation): Uint8Array => said.packets[2]!

  it('RFC 9048 §3.1 AT_KDF_INPUT: a server of another network is rejected', () => {
    const said = talk(ends("EAP-AKA'", { peer: { networkName: 'HRPD' } }))
    expect(subtypes(said)).toEqual(['Identity', 'Identity', '1', '2', 'code 4'])
    expect(said.peer).toMatchObject({ kind: 'failure', reason: 'the network is named "WLAN", not "HRPD"' })
  })

  it('RFC 9048 §3.1: names are compared field by field, as many as both have', () => {
    mskOf(talk(ends("EAP-AKA'", { server: { networkName: 'WLAN:one:two' } })))
    expect(talk(ends("EAP-AKA'", { server: { networkName: 'WLANs' } })).peer.kind).toBe('failure')
  })

  it('RFC 9048 §3.2 AT_KDF: one that is known and not the first is asked for, and has to come in front of all that were there', () => {
    const said = talk(ends("EAP-AKA'"))
    const attributes = decodeMessage(challenge(said).subarray(5)).attributes.filter(({ type }) => type !== At.KDF)
    const ask = (identifier: number, ...kdfs: number[]): Uint8Array =>
      encodePacket({
        code: 1,
        identifier,
        type: 50,
        data: encodeMessage({ subtype: 1, attributes: [...attributes, ...kdfs.map((kdf) => numeric(At.KDF, kdf))] }),
      })
    const peer = createEapPeer({ identity: 'x', methods: [ends("EAP-AKA'").peer], random: counting(9) })
    expect(peer.receive(ask(1, 7, 1))).toEqual({ kind: 'send', packet: Uint8Array.of(2, 1, 0, 12, 50, 1, 0, 0, 24, 1, 0, 1) })
    // Not what was asked: as if AT_MAC had been wrong.
    const answer = peer.receive(ask(2, 1, 7))
    expect(answer).toMatchObject({ kind: 'send' })
    expect(answer.kind === 'send' && answer.packet[5]).toBe(14)
    for (const kdfs of [[7], [7, 1, 1], [1, 1]]) {
      const other = createEapPeer({ identity: 'x', methods: [ends("EAP-AKA'").peer], random: counting(9) }).receive(ask(1, ...kdfs))
      expect(other.kind === 'send' && other.packet[5]).toBe(2)
    }
  })

  it('RFC 9048 §3.3: AUTN without the separation bit is rejected', () => {
    const said = talk(ends("EAP-AKA'"), (packet, i) => {
      if (i !== 2) return packet
      const at = packet.findIndex((octet, j) => octet === At.AUTN && packet[j + 1] === 5 && j > 24)
      return packet.with(at + 4 + 6, packet[at + 4 + 6]! & 0x7f)
    })
    expect(said.peer).toMatchObject({ kind: 'failure', reason: "AUTN is not for AKA': its separation bit is not set" })
  })

  it("RFC 9048 §4 AT_BIDDING: both would rather have EAP-AKA', and got EAP-AKA", () => {
    const down = talk(ends('EAP-AKA', { server: { isPrimePreferred: true }, peer: { isPrimePreferred: true } }))
    expect(subtypes(down)).toEqual(['Identity', 'Identity', '1', '2', 'code 4'])
    mskOf(talk(ends('EAP-AKA', { server: { isPrimePreferred: true } })))
    mskOf(talk(ends('EAP-AKA', { peer: { isPrimePreferred: true } })))
  })

  it('RFC 9048 §3.5: AT_KDF and AT_KDF_INPUT are in the challenge; of EAP-AKA they are not', () => {
    expect(types(challenge(talk(ends("EAP-AKA'"))))).toEqual(expect.arrayContaining([At.KDF, At.KDF_INPUT, At.MAC]))
    expect(types(challenge(talk(ends('EAP-AKA'))))).not.toContain(At.KDF)
  })
})

describe('RFC 4187 §6.3 what is said in other words', () => {
  it.each(VARIANTS)(
    'RFC 4187 §6.3 %s: random changes of what is said never throw, and never end well at both with another key',
    (variant) => {
      const random = counting(77)
      const next = (below: number): number => ((random(1)[0]! << 8) | random(1)[0]!) % below
      for (let run = 0; run < 300; run++) {
        const both = ends(variant, { server: { asksIdentity: run % 2 === 0, resultIndication: run % 3 === 0, reauthentications: 1 } })
        if (run % 4 === 0) talk(both)
        const at = next(6)
        const said = talk(both, (packet, i) => {
          if (i !== at) return packet
          const changed = packet.slice(0, next(5) === 0 ? 1 + next(packet.length) : packet.length)
          for (let count = next(3); count >= 0; count--) changed[next(changed.length)] = random(1)[0]!
          return changed
        })
        if (said.peer.kind === 'success' && said.server.kind === 'success') expect(toHex(said.peer.msk!)).toBe(toHex(said.server.msk!))
      }
    },
  )

  it.each(VARIANTS)('RFC 4187 §8.1 %s: a message cut short anywhere is answered by Client-Error, or Authentication-Reject', (variant) => {
    const whole = talk(ends(variant)).packets[2]!
    for (let length = 6; length < whole.length; length++) {
      const cut = encodePacket({ code: 1, identifier: 1, type: whole[4]!, data: whole.subarray(5, length) })
      const peer = createEapPeer({ identity: 'x', methods: [ends(variant).peer], random: counting(9) })
      const answer = peer.receive(cut)
      expect(answer.kind === 'send' && [2, 14].includes(answer.packet[5]!), `${length} octets`).toBe(true)
    }
  })

  it('RFC 4187 §8.1, §8.2: an attribute that is not known is skipped from 128 on, and refused below', () => {
    expect(decodeMessage(Uint8Array.of(1, 0, 0, 200, 1, 9, 9)).attributes).toEqual([{ type: 200, value: Uint8Array.of(9, 9) }])
    expect(() => decodeMessage(Uint8Array.of(1, 0, 0, 100, 1, 9, 9))).toThrow('attribute 100 is not known, and may not be skipped')
    expect(() => decodeMessage(Uint8Array.of(1, 0, 0, 135, 1, 0, 0, 135, 1, 0, 0))).toThrow('AT_RESULT_IND stands twice')
    expect(() => decodeMessage(Uint8Array.of(1, 0, 0, 1, 5, 0, 0))).toThrow('AT_RAND: Length 20, and 4 octets are there')
  })

  it.each(VARIANTS)('RFC 4187 §10.12 AT_PADDING %s: what pads is zeros at the end', (variant) => {
    const of = variant === 'EAP-AKA' ? AKA : AKA_PRIME
    const keys = { encr: new Uint8Array(16), aut: new Uint8Array(of.isPrime ? 32 : 16), re: new Uint8Array(32), msk: new Uint8Array(64) }
    const attributes = encrypted(keys, counting(1), [
      numeric(At.COUNTER, 3),
      { type: At.PADDING, value: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 1) },
    ])
    expect(() => decrypted(keys, { subtype: 1, attributes })).toThrow('AT_PADDING is not zeros at the end')
    const right = encrypted(keys, counting(1), [numeric(At.COUNTER, 3)])
    expect(numberOf(decrypted(keys, { subtype: 1, attributes: right }), At.COUNTER)).toBe(3)
    expect(() => decrypted(keys, { subtype: 1, attributes: right.slice(1) })).toThrow('AT_IV and AT_ENCR_DATA do not come together')
  })

  it('RFC 4187 §7: close() overwrites the MSK', () => {
    const said = talk(ends('EAP-AKA'), undefined, identityOf('EAP-AKA'), true)
    expect(said.peer.kind === 'success' && said.peer.msk!.every((octet) => octet === 0)).toBe(true)
    expect(said.server.kind === 'success' && said.server.msk!.every((octet) => octet === 0)).toBe(true)
  })
})
