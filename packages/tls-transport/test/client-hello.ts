// ClientHello (RFC 5246 §7.4.1.2), written and read by hand: what the runtime's TLS would not say, and what it says.

/** Of TLS 1.2 with these suites and nothing that would make it 1.3. */
export function clientHello(suites: readonly number[]): Uint8Array {
  const extensions = [
    // supported_groups: x25519, secp256r1; ec_point_formats: uncompressed.
    ...[0, 10, 0, 6, 0, 4, 0, 0x1d, 0, 0x17, 0, 11, 0, 2, 1, 0],
    // signature_algorithms: ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256.
    ...[0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1],
    // extended_master_secret.
    ...[0, 23, 0, 0],
  ]
  const offered = suites.flatMap((suite) => u16(suite))
  const body = [3, 3, ...Array<number>(32).fill(7), 0, ...u16(offered.length), ...offered, 1, 0, ...u16(extensions.length), ...extensions]
  const message = [1, 0, ...u16(body.length), ...body]
  return Uint8Array.of(22, 3, 1, ...u16(message.length), ...message)
}

/** What a server answers it with: the suite that it chose, or its alert. */
export function answerTo(record: Uint8Array): { readonly suite: number } | { readonly alert: number } {
  if (record[0] === 21) return { alert: record[6]! }
  // server_hello: 5 octets of record, 4 of message, version, random, session id.
  const sessionId = record[43]!
  return { suite: (record[44 + sessionId]! << 8) | record[45 + sessionId]! }
}

export interface Offer {
  readonly suites: readonly number[]
  readonly groups: readonly number[]
  readonly versions: readonly number[]
}

/** Without the values that say nothing (RFC 8701). */
export function offerOf(record: Uint8Array): Offer {
  const u16At = (at: number): number => (record[at]! << 8) | record[at + 1]!
  let at = 43
  at += 1 + record[at]!
  const suitesEnd = at + 2 + u16At(at)
  const suites = list(record.subarray(at + 2, suitesEnd))
  at = suitesEnd + 1 + record[suitesEnd]!
  const end = at + 2 + u16At(at)
  at += 2
  let groups: number[] = []
  let versions: number[] = []
  for (; at < end; at += 4 + u16At(at + 2)) {
    const type = u16At(at)
    const value = record.subarray(at + 4, at + 4 + u16At(at + 2))
    if (type === 10) groups = list(value.subarray(2))
    if (type === 43) versions = list(value.subarray(1))
  }
  return { suites, groups, versions }
}

function list(octets: Uint8Array): number[] {
  const values: number[] = []
  for (let i = 0; i + 1 < octets.length; i += 2) values.push((octets[i]! << 8) | octets[i + 1]!)
  return values.filter((value) => (value & 0x0f0f) !== 0x0a0a)
}

function u16(value: number): [number, number] {
  return [value >> 8, value & 0xff]
}
