import { describe, expect, it } from 'vitest'
import { fips186Prf } from '../src/crypto/fips186.ts'
import { f1, f2345 } from '../src/crypto/milenage.ts'
import { EapError, milenageHome, milenageUsim, opcOf } from '../src/index.ts'
import { AKA_PRIME, primedKeys } from '../src/methods/aka/keys.ts'
import { nextSqn, SqnWindow, sqnOctets } from '../src/methods/aka/sqn.ts'
import { fromHex, toHex } from './support.ts'

/** 3GPP TS 35.208 §4. */
const SETS = [
  {
    name: '1',
    k: '465b5ce8b199b49faa5f0a2ee238a6bc',
    rand: '23553cbe9637a89d218ae64dae47bf35',
    sqn: 'ff9bb4d0b607',
    amf: 'b9b9',
    op: 'cdc202d5123e20f62b6d676ac72cb318',
    opc: 'cd63cb71954a9f4e48a5994e37a02baf',
    f1: '4a9ffac354dfafb3',
    f1s: '01cfaf9ec4e871e9',
    f2: 'a54211d5e3ba50bf',
    f5: 'aa689c648370',
    f3: 'b40ba9a3c58b2a05bbf0d987b21bf8cb',
    f4: 'f769bcd751044604127672711c6d3441',
    f5s: '451e8beca43b',
  },
  {
    name: '3',
    k: 'fec86ba6eb707ed08905757b1bb44b8f',
    rand: '9f7c8d021accf4db213ccff0c7f71a6a',
    sqn: '9d0277595ffc',
    amf: '725c',
    op: 'dbc59adcb6f9a0ef735477b7fadf8374',
    opc: '1006020f0a478bf6b699f15c062e42b3',
    f1: '9cabc3e99baf7281',
    f1s: '95814ba2b3044324',
    f2: '8011c48c0c214ed2',
    f5: '33484dc2136b',
    f3: '5dbdbb2954e8f3cde665b046179a5098',
    f4: '59a92d3b476a0443487055cf88b2307b',
    f5s: 'deacdd848cc6',
  },
]

/** The first two of RFC 9048 Appendix D are of test set 19 of TS 35.208. */
const SET_19 = { k: '5122250214c33e723a5dd523fc145fc0', op: 'c9e8763286b5b9ffbdf56e1297d0887b', sqn: '16f3b3f70fc2', amf: 'c3ab' }
const RUN = {
  rand: '81e92b6c0ee0e12ebceba8d92a99dfa5',
  autn: 'bb52e91c747ac3ab2a5c23d15ee351d5',
  ik: '9744871ad32bf9bbd1dd5ce54e3e2e5a',
  ck: '5349fbe098649f948f5d2e973a81c00f',
}
const ARTIFICIAL = { rand: 'e0'.repeat(16), autn: 'a0'.repeat(16), ik: 'b0'.repeat(16), ck: 'c0'.repeat(16) }

describe('3GPP TS 35.208 §4 MILENAGE', () => {
  it.each(SETS)('test set $name: f1, f1*, f2, f3, f4, f5, f5* and OPc', (set) => {
    const key = { k: fromHex(set.k), opc: opcOf(fromHex(set.k), fromHex(set.op)) }
    expect(toHex(key.opc)).toBe(set.opc)
    const { macA, macS } = f1(key, fromHex(set.rand), fromHex(set.sqn), fromHex(set.amf))
    expect([macA, macS].map(toHex)).toEqual([set.f1, set.f1s])
    const { res, ck, ik, ak, akStar } = f2345(key, fromHex(set.rand))
    expect([res, ck, ik, ak, akStar].map(toHex)).toEqual([set.f2, set.f3, set.f4, set.f5, set.f5s])
  })

  it('test set 19 is the AKA run of RFC 9048 Appendix D, cases 1 and 2', () => {
    const k = fromHex(SET_19.k)
    const subscriber = { k, opc: opcOf(k, fromHex(SET_19.op)), amf: fromHex(SET_19.amf) }
    // The number before, so that this one is the next.
    const sqn = BigInt(`0x${SET_19.sqn}`) - (1n << 5n) - 1n
    const made = milenageHome(() => ({ ...subscriber, sqn })).vector('0555444333222111', fromHex(RUN.rand), true)!
    expect([made.autn, made.xres, made.ck, made.ik].map(toHex)).toEqual([RUN.autn, '28d7b0f2a2ec3de5', RUN.ck, RUN.ik])
    expect(milenageUsim({ ...subscriber, sqn }).authenticate(made.rand, made.autn)).toMatchObject({ kind: 'authenticated', res: made.xres })
  })

  it('a key that is not of 16 octets is refused, and the error says which', () => {
    expect(() => milenageUsim({ k: new Uint8Array(15), opc: new Uint8Array(16) })).toThrow(
      new EapError('k: 15 octets, and 16 are needed (TS 35.206 §3)', 15),
    )
    expect(() => opcOf(new Uint8Array(16), new Uint8Array(17))).toThrow(/^op: 17 octets/)
  })
})

describe('RFC 4187 Appendix A the generator of FIPS 186-2', () => {
  it('FIPS 186-2, change notice 1: the example of Appendix 5', () => {
    expect(toHex(fips186Prf(fromHex('bd029bbe7f51960bcf9edb2b61f06f0feb5a38b6'), 40))).toBe(
      '2070b3223dba372fde1c0ffc7b2e3b498b2606143c6c18bacb0f6c55babb13788e20d737a3275116',
    )
  })

  it('RFC 4186 Appendix B.5: K_encr, K_aut and MSK of EAP-SIM, which come of MK as those of EAP-AKA', () => {
    const made = toHex(fips186Prf(fromHex('e576d5ca332e9930018bf1baee2763c795b3c712'), 96))
    expect(made.slice(0, 64)).toBe('536e5ebc4465582aa6a8ec9986ebb62025af1942efcbf4bc72b3943421f2a974')
    expect(made.slice(64)).toBe(
      '39d45aeaf4e30601983e972b6cfd46d1c363773365690d09cd44976b525f47d3a60a985e955c53b090b2e4b73719196a402542968fd14a888f46b9a7886e4488',
    )
  })
})

describe("RFC 9048 Appendix D keys of EAP-AKA'", () => {
  it.each([
    [
      '1',
      'WLAN',
      RUN,
      '0093962d0dd84aa5684b045c9edffa04',
      'ccfc230ca74fcc96c0a5d61164f5a76c',
      '766fa0a6c317174b812d52fbcd11a179',
      'cf83aa8bc7e0aced892acc98e76a9b2095b558c7795c7094715cb3393aa7d17a',
      '67c42d9aa56c1b79e295e3459fc3d187d42be0bf818d3070e362c5e967a4d544e8ecfe19358ab3039aff03b7c930588c055babee58a02650b067ec4e9347c75a',
    ],
    [
      '2',
      'HRPD',
      RUN,
      '3820f0277fa5f77732b1fb1d90c1a0da',
      'db94a0ab557ef6c9ab48619ca05b9a9f',
      '05ad73ac915fce89ac77e1520d82187b',
      '3f90bf5c6e5ef325ff04eb5ef6539fa8cca8398194fbd00be425b3f40dba10ac',
      '87b321570117cd6c95ab6c436fb5073ff15cf85505d2bc5bb7355fc21ea8a75757e8f86a2b138002e05752913bb43b82f868a96117e91a2d95f526677d572900',
    ],
    [
      '3',
      'WLAN',
      ARTIFICIAL,
      'cd4c8e5c68f57dd1d7d7dfd0c538e577',
      '3ece6b705dbbf7dfc459a11280c65524',
      '897d302fa2847416488c28e20dcb7be4',
      '0a591a22dd8b5b1cf29e3d508c91dbbdb4aee23051892c42b6a2de66ea504473',
      '9f7dca9e37bb22029ed986e7cd09d4a70d1ac76d95535c5cac40a7504699bb8961a29ef6f3e90f183de5861ad1bedc81ce9916391b401aa006c98785a5756df7',
    ],
  ])("case %s, of network %s: CK', IK', K_encr, K_re, MSK", (_, networkName, run, ck, ik, encr, re, msk) => {
    const [RAW_CK, RAW_IK, autn] = [fromHex(run.ck), fromHex(run.ik), fromHex(run.autn)]
    const primed = primedKeys(RAW_CK, RAW_IK, autn.subarray(0, 6), networkName)
    expect([primed.ck, primed.ik].map(toHex)).toEqual([ck, ik])
    const keys = AKA_PRIME.fullKeys({ identity: '0555444333222111', ck: RAW_CK, ik: RAW_IK, autn, networkName })
    expect([keys.encr, keys.re, keys.msk].map(toHex)).toEqual([encr, re, msk])
  })
})

describe('3GPP TS 33.102 Annex C sequence numbers', () => {
  it('TS 33.102 §C.1: each is of the next row and of a greater SEQ', () => {
    expect(nextSqn(0n)).toBe((1n << 5n) | 1n)
    expect(nextSqn((7n << 5n) | 31n)).toBe(8n << 5n)
    expect(toHex(sqnOctets(0x0102030405_06n))).toBe('010203040506')
  })

  it('TS 33.102 §C.2.2: out of order within the rows, and never twice', () => {
    const window = new SqnWindow()
    const made = Array.from({ length: 40 }, (_, i) => i).reduce<bigint[]>((all) => [...all, nextSqn(all.at(-1) ?? 0n)], [])
    expect(window.accept(made[39]!)).toBe(true)
    expect(window.accept(made[20]!)).toBe(true)
    expect(window.accept(made[20]!)).toBe(false)
    // Of the row of the last, and older.
    expect(window.accept(made[7]!)).toBe(false)
    expect(window.highest).toBe(made[39])
  })

  it('TS 33.102 §C.2.1, §C.3.1: no leap of more than Δ', () => {
    const window = new SqnWindow()
    expect(window.accept(((1n << 28n) + 1n) << 5n)).toBe(false)
    expect(window.accept((1n << 28n) << 5n)).toBe(true)
  })
})
