import { describe, expect, it, onTestFinished } from 'vitest'
import { type Datagram, openUdp, type ReusePortGroup, type UdpSocket } from '../src/index.ts'
import { type Instruction, steeringProgram } from '../src/reuse-port-group.ts'

const GROUP: ReusePortGroup = { size: 3, spiMask: 63 }

describe('the socket that a datagram is for', () => {
  const on4500 = (octets: readonly number[]): number => run(steeringProgram(4500, GROUP), Uint8Array.from(octets))
  const on500 = (octets: readonly number[]): number => run(steeringProgram(500, GROUP), Uint8Array.from(octets))

  it('RFC 3948 §2.1: ESP, by the last bits of its SPI', () => {
    expect([esp(0xc0ffee40), esp(0xc0ffee41), esp(0x00000142)].map(on4500)).toEqual([0, 1, 2])
  })

  it('RFC 3948 §2.2: IKE behind the Non-ESP marker, and on port 500 without it, by the responder’s SPI', () => {
    expect([ike(7n, 0xaabb_ccdd_0000_0042n), ike(7n, 0x0000_0001_0000_0000n), ike(9n, 0x41n)].map((it) => on500(it))).toEqual([2, 0, 1])
    expect(on4500([0, 0, 0, 0, ...ike(7n, 0xaabb_ccdd_0000_0042n)])).toBe(2)
    expect(on4500([0, 0, 0, 0, ...ike(7n, 0x0000_0001_0000_0000n)])).toBe(0)
  })

  it('RFC 7296 §2.2, §2.18: of an IKE SA that our side has rekeyed by the initiator’s SPI, which is ours', () => {
    expect(on500(ike(0xaabb_ccdd_0000_0042n, 7n, 0))).toBe(2)
    expect(on4500([0, 0, 0, 0, ...ike(0xaabb_ccdd_0000_0041n, 0x42n, 0x20)])).toBe(1)
  })

  it('RFC 7296 §2.6: IKE_SA_INIT, by the initiator’s SPI, which a repetition with a cookie keeps', () => {
    expect([ike(7n, 0n), ike(0xffff_ffff_0000_0005n, 0n), ike(6n, 0n)].map(on500)).toEqual([1, 2, 0])
    expect(on4500([0, 0, 0, 0, ...ike(7n, 0n)])).toBe(1)
  })

  it('what is too short for an SPI goes to the first', () => {
    expect([on4500([0xff]), on4500([0, 0, 0, 0, 1]), on500([1, 2, 3])]).toEqual([0, 0, 0])
  })
})

describe.each(['127.0.0.1', '::1'])('three sockets on one port of %s', (address) => {
  it('RFC 3948 §2: the kernel gives each datagram to the socket that its SPI names', async (context) => {
    const got: string[][] = []
    const sockets: UdpSocket[] = []
    for (let i = 0; i < GROUP.size; i++) {
      const heard: string[] = []
      const port = sockets[0]?.local.port ?? 0
      const note = (kind: Datagram, bytes: Uint8Array): void => void heard.push(`${kind} ${bytes[kind === 'esp' ? 3 : 15]}`)
      const socket = await openUdp({
        address,
        port,
        group: GROUP,
        onDatagram: (bytes, kind) => note(kind, bytes),
        onEspBatch: ({ buffer, offsets, lengths, count }) => {
          for (let k = 0; k < count; k++) note('esp', buffer.subarray(offsets[k], offsets[k]! + lengths[k]!))
        },
        onError: () => {},
      })
      onTestFinished(() => socket.close())
      if (socket.kind !== 'native') return context.skip('no native sockets here')
      sockets.push(socket)
      got.push(heard)
    }
    const to = sockets[0]!.local
    const client = await openUdp({ address, onDatagram: () => {}, onError: () => {} })
    onTestFinished(() => client.close())
    for (const spi of [0x1000_0082, 0x1000_0041, 0x1000_0000]) client.send('esp', Uint8Array.from([...esp(spi), 0, 0, 0, 1]), to)
    client.send('ike', Uint8Array.from(ike(5n, 0xabcd_0000_0000_0081n)), to)
    client.send('ike', Uint8Array.from(ike(5n, 0n)), to)
    client.send('ike', Uint8Array.from(ike(0xabcd_0000_0000_0080n, 66n, 0)), to)
    while (got.flat().length < 6) await new Promise((resolve) => setTimeout(resolve, 2))
    expect(got.map((heard) => heard.toSorted())).toEqual([
      ['esp 0', 'ike 66'],
      ['esp 65', 'ike 129'],
      ['esp 130', 'ike 0'],
    ])
  })
})

function esp(spi: number): number[] {
  return [spi >>> 24, (spi >>> 16) & 0xff, (spi >>> 8) & 0xff, spi & 0xff]
}

/** Header and nothing behind it. */
function ike(initiatorSpi: bigint, responderSpi: bigint, flags = 0x08): number[] {
  const octets = new Uint8Array(28)
  const view = new DataView(octets.buffer)
  view.setBigUint64(0, initiatorSpi)
  view.setBigUint64(8, responderSpi)
  octets[19] = flags
  return [...octets]
}

/** What the kernel does with it. */
function run(program: readonly Instruction[], packet: Uint8Array): number {
  const view = new DataView(packet.buffer)
  let a = 0
  for (let at = 0; ; at++) {
    const { code, jt = 0, jf = 0, k } = program[at]!
    if (k + (code === 0x20 ? 4 : 1) > packet.length && (code === 0x20 || code === 0x30)) return 0
    if (code === 0x20) a = view.getUint32(k)
    else if (code === 0x30) a = packet[k]!
    else if (code === 0x45) at += (a & k) === 0 ? jf : jt
    else if (code === 0x15) at += a === k ? jt : jf
    else if (code === 0x54) a = (a & k) >>> 0
    else if (code === 0x94) a %= k
    else return a
  }
}
