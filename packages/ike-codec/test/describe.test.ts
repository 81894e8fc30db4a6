import { describe, expect, it } from 'vitest'
import { CfgType, describeMessage, ExchangeType, HeaderFlag, NotifyType, notify, type Payload } from '../src/index.ts'

const none = new Uint8Array()
const SA: Payload = { type: 'SA', proposals: [] }
const KE: Payload = { type: 'KE', method: 31, data: none }
const Nonce: Payload = { type: 'Nonce', data: none }
const IDi: Payload = { type: 'IDi', idType: 2, data: none }
const IDr: Payload = { type: 'IDr', idType: 2, data: none }
const AUTH: Payload = { type: 'AUTH', method: 2, data: none }
const TSi: Payload = { type: 'TSi', selectors: [] }
const TSr: Payload = { type: 'TSr', selectors: [] }
const D: Payload = { type: 'D', protocol: 1, spis: [] }
const SK: Payload = { type: 'SK', firstPayload: 35, body: none }

describe('RFC 7296 §1.2 notation', () => {
  it('IKE_SA_INIT request', () => {
    expect(describeMessage(request('IKE_SA_INIT', [SA, KE, Nonce]))).toBe('HDR, SAi1, KEi, Ni')
  })

  it('IKE_SA_INIT response', () => {
    const payloads: Payload[] = [SA, KE, Nonce, { type: 'CERTREQ', encoding: 4, authorities: none }]
    expect(describeMessage(response('IKE_SA_INIT', payloads))).toBe('HDR, SAr1, KEr, Nr, CERTREQ')
  })

  it('IKE_AUTH request and response', () => {
    const cert: Payload = { type: 'CERT', encoding: 4, data: none }
    expect(describeMessage(request('IKE_AUTH', [SK]), [IDi, cert, AUTH, SA, TSi, TSr])).toBe('HDR, SK {IDi, CERT, AUTH, SAi2, TSi, TSr}')
    expect(describeMessage(response('IKE_AUTH', [SK]), [IDr, AUTH, SA, TSi, TSr])).toBe('HDR, SK {IDr, AUTH, SAr2, TSi, TSr}')
  })

  it('§2.6: a cookie in front', () => {
    expect(describeMessage(request('IKE_SA_INIT', [notify(NotifyType.COOKIE), SA, KE, Nonce]))).toBe('HDR, N(COOKIE), SAi1, KEi, Ni')
  })

  it('§1.3: CREATE_CHILD_SA has SA without a suffix', () => {
    const inner = [notify(NotifyType.REKEY_SA), SA, Nonce, KE, TSi, TSr]
    expect(describeMessage(request('CREATE_CHILD_SA', [SK]), inner)).toBe('HDR, SK {N(REKEY_SA), SA, Ni, KEi, TSi, TSr}')
    expect(describeMessage(response('CREATE_CHILD_SA', [SK]), inner.slice(1))).toBe('HDR, SK {SA, Nr, KEr, TSi, TSr}')
  })

  it('§1.3: the suffix follows the R flag, not who began the IKE SA', () => {
    const message = {
      header: { exchangeType: ExchangeType.CREATE_CHILD_SA, flags: HeaderFlag.INITIATOR | HeaderFlag.RESPONSE },
      payloads: [SK],
    }
    expect(describeMessage(message, [Nonce])).toBe('HDR, SK {Nr}')
  })

  it('§1.4: INFORMATIONAL, empty and with D', () => {
    expect(describeMessage(request('INFORMATIONAL', [SK]), [])).toBe('HDR, SK {}')
    expect(describeMessage(request('INFORMATIONAL', [SK]), [D])).toBe('HDR, SK {D}')
  })

  it('§2.19: CP and its type', () => {
    const cp = (cfgType: number): Payload => ({ type: 'CP', cfgType, attributes: [] })
    expect(describeMessage(request('IKE_AUTH', [SK]), [IDi, cp(CfgType.CFG_REQUEST)])).toBe('HDR, SK {IDi, CP(CFG_REQUEST)}')
    expect(describeMessage(response('IKE_AUTH', [SK]), [cp(CfgType.CFG_REPLY)])).toBe('HDR, SK {CP(CFG_REPLY)}')
  })

  it('§2.16: EAP', () => {
    expect(describeMessage(response('IKE_AUTH', [SK]), [{ type: 'EAP', code: 3, identifier: 0, data: none }])).toBe('HDR, SK {EAP}')
  })

  it('§3.14: an SK that was not opened, and one that is yet to be made', () => {
    expect(describeMessage(request('IKE_AUTH', [SK]))).toBe('HDR, SK {...}')
    expect(describeMessage(request('IKE_AUTH', []), [D])).toBe('HDR, SK {D}')
  })

  it('RFC 7383 §2.5: SKF', () => {
    const skf: Payload = { type: 'SKF', firstPayload: 35, fragmentNumber: 1, totalFragments: 3, body: none }
    expect(describeMessage(request('IKE_AUTH', [skf]))).toBe('HDR, SKF(Frag#=1, TotalFrags=3) {...}')
  })

  it('RFC 8019 §7: PS', () => {
    expect(describeMessage(request('IKE_SA_INIT', [{ type: 'PS', solutions: none }, SA]))).toBe('HDR, PS, SAi1')
  })

  it('numbers without a name are in hex', () => {
    const payloads: Payload[] = [
      notify(40961),
      { type: 'unknown', payloadType: 51, body: none },
      { type: 'unknown', payloadType: 9, body: none },
    ]
    expect(describeMessage(request('INFORMATIONAL', payloads))).toBe('HDR, N(0xa001), GSA, 0x09')
  })

  it('only HDR', () => {
    expect(describeMessage(request('INFORMATIONAL', []))).toBe('HDR')
  })
})

function request(exchange: keyof typeof ExchangeType, payloads: readonly Payload[]) {
  return { header: { exchangeType: ExchangeType[exchange], flags: HeaderFlag.INITIATOR }, payloads }
}

function response(exchange: keyof typeof ExchangeType, payloads: readonly Payload[]) {
  return { header: { exchangeType: ExchangeType[exchange], flags: HeaderFlag.RESPONSE }, payloads }
}
