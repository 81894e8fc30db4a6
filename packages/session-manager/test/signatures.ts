/** The driver's side of signatures, for the nodes of a `Network`: keys and trust by name, done at once. */
import type { KeyObject } from 'node:crypto'
import {
  bindIdentity,
  type Certificate,
  encodeAnnouncements,
  findPath,
  publicKeyOf,
  readAnnouncements,
  readCertificate,
  readPublicKey,
  signAuth,
  signatureAnnouncements,
  verifyAuth,
} from '@underpass/certificates'
import type { CryptoResult, CryptoWork, LocalAuthentication, RemoteAuthentication } from '../src/index.ts'

interface TestTrust {
  readonly anchors?: readonly Certificate[]
  readonly rawKeys?: readonly Uint8Array[]
}

export class Signatures {
  readonly keys = new Map<string, KeyObject>()
  readonly trusts = new Map<string, TestTrust>()
  readonly done: CryptoWork[] = []
  /** Milliseconds since 1970. */
  now = Date.now()

  /** A key without a certificate (RFC 7670), and who believes it. */
  rawKey(name: string, key: KeyObject): { local: LocalAuthentication; remote: RemoteAuthentication } {
    const spki = publicKeyOf(key)
    this.keys.set(name, key)
    this.trusts.set(name, { rawKeys: [spki] })
    return {
      local: { kind: 'signature', key: name, certificates: [{ encoding: 15, data: spki }] },
      remote: this.believing(name, [{ encoding: 15, authorities: new Uint8Array(0) }]),
    }
  }

  believing(trust: string, requests: readonly { encoding: number; authorities: Uint8Array }[]): RemoteAuthentication {
    return { kind: 'signature', trust, requests, authMethods: encodeAnnouncements(signatureAnnouncements()) }
  }

  readonly work = (work: CryptoWork): CryptoResult | undefined => {
    if (work.kind !== 'sign' && work.kind !== 'verify-peer') return undefined
    this.done.push(work)
    try {
      return work.kind === 'sign' ? this.#sign(work) : this.#verify(work)
    } catch (error) {
      return { kind: 'failed', detail: (error as Error).message }
    }
  }

  #sign({ key, octets, hashAlgorithms, authMethods }: Extract<CryptoWork, { kind: 'sign' }>): CryptoResult {
    const known = this.keys.get(key)
    if (!known) return { kind: 'failed', detail: `there is no key "${key}"` }
    return { kind: 'signed', ...signAuth(known, octets, { hashAlgorithms, announcements: authMethods && readAnnouncements(authMethods) }) }
  }

  #verify({ trusts, identity, method, signature, octets, certificates }: Extract<CryptoWork, { kind: 'verify-peer' }>): CryptoResult {
    let detail = 'nobody is trusted'
    for (const trust of trusts) {
      try {
        const { anchors = [], rawKeys = [] } = this.trusts.get(trust)!
        const x509 = certificates.filter(({ encoding }) => encoding === 4).map(({ data }) => readCertificate(data))
        const raw = rawKeys.find((key) => certificates.some(({ data }) => Buffer.compare(data, key) === 0))
        const [endEntity, ...intermediates] = x509
        const key = endEntity ? endEntity.publicKey : raw && readPublicKey(raw)
        if (!key) throw new Error('no certificate and no key that is known')
        verifyAuth(key, octets, { method, data: signature })
        if (endEntity) {
          findPath({ endEntity, intermediates, anchors, now: this.now })
          bindIdentity(identity, endEntity)
        }
        return { kind: 'peer-verified', trust }
      } catch (error) {
        detail = (error as Error).message
      }
    }
    return { kind: 'failed', detail }
  }
}
