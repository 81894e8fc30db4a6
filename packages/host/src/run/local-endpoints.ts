/**
 * A socket bound to every address does not say to which a datagram came. The routing table's answer for the sender is used: NAT
 * detection (RFC 7296 §2.23) hashes it, and a path is known by it, so for one sender it must not change from packet to packet.
 */
import type { DatagramKind, Endpoint } from '@underpass/session-manager'
import type { UdpSocket } from '@underpass/udp-transport'

export interface DatagramReceiver {
  onDatagram(local: Endpoint, remote: Endpoint, message: DatagramKind, bytes: Uint8Array): void
}

export class LocalEndpoints {
  readonly #socket: Pick<UdpSocket, 'local' | 'localAddressFor'>
  readonly #receiver: DatagramReceiver
  readonly #now: () => number
  /** By the sender's address; the oldest goes first. */
  readonly #known = new Map<string, { endpoint: Endpoint; freshUntil: number }>()
  readonly #held = new Map<string, (() => void)[]>()

  constructor(
    socket: Pick<UdpSocket, 'local' | 'localAddressFor'>,
    receiver: DatagramReceiver,
    now: () => number = () => performance.now(),
  ) {
    this.#socket = socket
    this.#receiver = receiver
    this.#now = now
  }

  /** At once where the sender is known; else when the lookup is done, in order. The octets are given away. */
  receive(remote: Endpoint, message: DatagramKind, bytes: Uint8Array): void {
    const known = this.#known.get(remote.address)
    if (known !== undefined) {
      if (message === 'ike' && known.freshUntil < this.#now()) this.#refresh(remote)
      this.#receiver.onDatagram(known.endpoint, remote, message, bytes)
      return
    }
    const held = this.#held.get(remote.address)
    // In a flood of invented senders the wildcard will have to do: at worst a NAT is seen where there is none.
    if (held === undefined ? this.#held.size >= MAX_LOOKUPS : held.length >= MAX_HELD) {
      this.#receiver.onDatagram(this.#socket.local, remote, message, bytes)
      return
    }
    const deliver = (): void =>
      this.#receiver.onDatagram(this.#known.get(remote.address)?.endpoint ?? this.#socket.local, remote, message, bytes)
    if (held !== undefined) held.push(deliver)
    else {
      this.#held.set(remote.address, [deliver])
      this.#refresh(remote)
    }
  }

  /** The machine's addresses are others, or its routes. */
  forget(): void {
    this.#known.clear()
  }

  #refresh(remote: Endpoint): void {
    const entry = this.#known.get(remote.address)
    // Until the answer is here, no second question.
    if (entry !== undefined) entry.freshUntil = Number.POSITIVE_INFINITY
    const { local } = this.#socket
    this.#socket.localAddressFor(remote).then(
      (address) => this.#learned(remote.address, { address, port: local.port }),
      () => this.#learned(remote.address, entry?.endpoint ?? local),
    )
  }

  #learned(sender: string, found: Endpoint): void {
    const before = this.#known.get(sender)?.endpoint
    const endpoint = before?.address === found.address ? before : found
    this.#known.delete(sender)
    this.#known.set(sender, { endpoint, freshUntil: this.#now() + FRESH_MILLISECONDS })
    if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!)
    const held = this.#held.get(sender)
    this.#held.delete(sender)
    for (const deliver of held ?? []) deliver()
  }
}

const MAX_LOOKUPS = 64
const MAX_HELD = 32
const MAX_KNOWN = 16_384
/** The machine may get another address. */
const FRESH_MILLISECONDS = 30_000
