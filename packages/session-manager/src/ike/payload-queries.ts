/** Looking into a list of payloads. Order never matters (RFC 7296 §2.5, C-11). */
import { NotifyType, nameOf, type Payload, type PayloadOf } from '@underpass/ike-codec'

export function find<Type extends Payload['type']>(payloads: readonly Payload[], type: Type): PayloadOf<Type> | undefined {
  return payloads.find((payload): payload is PayloadOf<Type> & Payload => payload.type === type)
}

export function findNotify(payloads: readonly Payload[], notifyType: number): PayloadOf<'N'> | undefined {
  return payloads.find((payload): payload is PayloadOf<'N'> => payload.type === 'N' && payload.notifyType === notifyType)
}

export function findConfiguration(inner: readonly Payload[], cfgType: number): PayloadOf<'CP'> | undefined {
  return inner.find((payload): payload is PayloadOf<'CP'> => payload.type === 'CP' && payload.cfgType === cfgType)
}

/** The first notify of an error type (RFC 7296 §3.10.1: below 16384). */
export function findErrorNotify(payloads: readonly Payload[]): PayloadOf<'N'> | undefined {
  return payloads.find((payload): payload is PayloadOf<'N'> => payload.type === 'N' && payload.notifyType < 16_384)
}

export function nameOfNotify(notifyType: number): string {
  return nameOf(NotifyType, notifyType)
}
