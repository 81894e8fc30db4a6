import { decodeMessage, type IkeMessage, NotifyType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { Pair, TCP, UDP } from '../pair.ts'

describe('RFC 9329 §2 (T-CFG-2): TCP encapsulation is configured, never negotiated', () => {
  const overTcp = new Pair({ transports: [TCP] })
  const overUdp = new Pair({ transports: [UDP] })
  overTcp.connect()
  overUdp.connect()

  it('the exchanges hold the same payloads over UDP and over TCP', () => {
    expect(overTcp.transcript()).toEqual(overUdp.transcript())
    expect(overTcp.log.map((entry) => entry.octets.length)).toEqual(overUdp.log.map((entry) => entry.octets.length))
  })

  it('only the hashes of NAT detection differ in IKE_SA_INIT, SPI and nonce aside', () => {
    const [tcp, udp] = [overTcp, overUdp].map((pair) => comparable(decodeMessage(pair.log[0]!.octets)))
    expect(tcp).toEqual(udp)
  })
})

function comparable({ payloads }: IkeMessage): unknown[] {
  return payloads.map((payload) => {
    if (payload.type === 'Nonce' || payload.type === 'KE') return [payload.type, payload.data.length]
    const isNatDetection =
      payload.type === 'N' &&
      (payload.notifyType === NotifyType.NAT_DETECTION_SOURCE_IP || payload.notifyType === NotifyType.NAT_DETECTION_DESTINATION_IP)
    return isNatDetection ? [payload.notifyType, payload.data.length] : payload
  })
}
