// Several sockets on one port (SO_REUSEPORT), of several threads: the kernel gives a datagram to the one that its SPI names.
import { type Libc, nativeBuffer } from '@underpass/native'
import { SO_ATTACH_REUSEPORT_CBPF, SO_REUSEPORT, SOL_SOCKET } from './socket-options.ts'

export interface ReusePortGroup {
  /** How many sockets there will be. They count in the order in which they are opened, so they must be opened one after the other. */
  readonly size: number
  /** Which bits of an SPI that our side made are the number of its socket. */
  readonly spiMask: number
}

/** Before the descriptor is bound. @throws NativeError */
export function shareThePort(libc: Libc, fd: number): void {
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1)
}

/** For the whole group, by any of its sockets, once it is bound. @throws NativeError */
export function steerBySpi(libc: Libc, fd: number, port: number, group: ReusePortGroup): void {
  const program = steeringProgram(port, group)
  const filter = nativeBuffer(8 * program.length)
  const view = new DataView(filter.bytes.buffer)
  for (const [i, { code, jt = 0, jf = 0, k }] of program.entries()) {
    view.setUint16(8 * i, code, true)
    view.setUint8(8 * i + 2, jt)
    view.setUint8(8 * i + 3, jf)
    view.setUint32(8 * i + 4, k, true)
  }
  // struct sock_fprog: a length, and behind padding the address.
  const header = new Uint8Array(new ArrayBuffer(16))
  const headerView = new DataView(header.buffer)
  headerView.setUint16(0, program.length, true)
  headerView.setBigUint64(8, BigInt(filter.address), true)
  libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, header)
}

/** In the header of an IKE message (RFC 7296 §3.1): its Flags, and the bit that says that the sender is the IKE SA's original initiator. */
const FLAGS = 19
const INITIATOR = 0x08

/** One instruction of classic BPF (linux/filter.h). */
export interface Instruction {
  readonly code: number
  /** How many instructions are left out when the comparison holds, and when it does not. */
  readonly jt?: number
  readonly jf?: number
  readonly k: number
}

/**
 * The number of a datagram's socket; its octets begin behind the UDP header. In each case the last 32 bits of an SPI are looked at:
 *
 *      port 4500:  ESP | SPI (4) | …                          its SPI
 *                  IKE | 0 (4) | SPIi (8) | SPIr (8) | …      the responder's; where it is 0, in IKE_SA_INIT, the initiator's modulo size;
 *                                                             the initiator's where the sender is not that, as our side has rekeyed the IKE SA
 *      port 500:   IKE | SPIi (8) | SPIr (8) | …              as above, without the marker (RFC 3948 §2.2)
 *
 * The initiator's SPI stays the same while it repeats its request with a cookie (RFC 7296 §2.6), so who baked the cookie tastes it. What
 * is too short goes to the first: BPF answers 0 for octets that are not there. A number beyond the last makes the kernel choose.
 */
export function steeringProgram(port: number, { size, spiMask }: ReusePortGroup): readonly Instruction[] {
  const marker = port === 500 ? 0 : 4
  const byIkeSpi: readonly Instruction[] = [
    { code: LOAD_OCTET, k: marker + FLAGS },
    { code: JUMP_IF_SET, jt: 3, jf: 0, k: INITIATOR },
    { code: LOAD_WORD, k: marker + 4 },
    { code: AND, k: spiMask },
    { code: RETURN_A, k: 0 },
    { code: LOAD_WORD, k: marker + 8 },
    { code: JUMP_IF_EQUAL, jt: 0, jf: 2, k: 0 },
    { code: LOAD_WORD, k: marker + 12 },
    { code: JUMP_IF_EQUAL, jt: 3, jf: 1, k: 0 },
    { code: LOAD_WORD, k: marker + 12 },
    { code: AND, k: spiMask },
    { code: RETURN_A, k: 0 },
    { code: LOAD_WORD, k: marker + 4 },
    { code: MODULO, k: size },
    { code: RETURN_A, k: 0 },
  ]
  if (marker === 0) return byIkeSpi
  const byEspSpi: readonly Instruction[] = [
    { code: LOAD_WORD, k: 0 },
    { code: JUMP_IF_EQUAL, jt: 2, jf: 0, k: 0 },
    { code: AND, k: spiMask },
    { code: RETURN_A, k: 0 },
  ]
  return [...byEspSpi, ...byIkeSpi]
}

// BPF_LD | BPF_W | BPF_ABS: four octets of the packet, in network order.
const LOAD_WORD = 0x20
// BPF_LD | BPF_B | BPF_ABS: one octet.
const LOAD_OCTET = 0x30
// BPF_JMP | BPF_JSET | BPF_K
const JUMP_IF_SET = 0x45
// BPF_JMP | BPF_JEQ | BPF_K
const JUMP_IF_EQUAL = 0x15
// BPF_ALU | BPF_AND | BPF_K
const AND = 0x54
// BPF_ALU | BPF_MOD | BPF_K
const MODULO = 0x94
// BPF_RET | BPF_A
const RETURN_A = 0x16
