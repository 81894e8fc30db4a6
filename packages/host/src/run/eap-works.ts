/** What an EAP method cannot do in the core (RFC 7296 §2.16): what others have to be asked. */
import type { EapWork } from '@underpass/eap'
import type { CryptoResult, RandomSource } from '@underpass/session-manager'
import type { Credentials } from '../config/authentication.ts'
import { reasonOf } from '../host-error.ts'
import { RadiusPort } from './radius-port.ts'

export class EapWorks {
  readonly #radius: RadiusPort

  constructor({ radius }: Pick<Credentials, 'radius'>, random: RandomSource) {
    this.#radius = new RadiusPort(radius, random)
  }

  async perform(work: EapWork): Promise<CryptoResult> {
    try {
      return { kind: 'eap', result: await this.#radius.relay(work) }
    } catch (error) {
      return { kind: 'failed', detail: reasonOf(error) }
    }
  }
}
