/**
 * CREATE_CHILD_SA (RFC 7296 §1.3): what a message is about is seen from what it offers.
 *
 *   HDR, SK {SA, Ni, KEi}  -->                                  (the IKE SA is rekeyed)  ike/rekeying/ike-sa-rekeying.ts
 *   HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->       (a Child SA)             ike/rekeying/child-sa-*.ts
 */
import { type Payload, ProtocolId } from '@underpass/ike-codec'
import type { Core } from '../core.ts'
import type { IkeSa } from './ike-sa.ts'
import type { RequestPlan } from './message-window.ts'
import { find } from './payload-queries.ts'
import type { AuthenticatedMessage } from './protection.ts'
import { answerChildSaRequest } from './rekeying/child-sa-answer.ts'
import { handleChildSaResponse } from './rekeying/child-sa-creation.ts'
import { answerIkeRekeyRequest, handleIkeRekeyResponse } from './rekeying/ike-sa-rekeying.ts'
import type { Step } from './step.ts'

export function answerCreateChildSaRequest(core: Core, sa: IkeSa, { inner }: AuthenticatedMessage): Step {
  return isOfIkeSa(inner) ? answerIkeRekeyRequest(core, sa, inner) : answerChildSaRequest(core, sa, inner)
}

export function handleCreateChildSaResponse(core: Core, sa: IkeSa, { inner }: AuthenticatedMessage, plan: RequestPlan | undefined): Step {
  const creation = plan?.creation
  // What it was for is gone.
  if (!creation || !sa.creations.has(creation)) return {}
  return creation.kind === 'ike-sa' ? handleIkeRekeyResponse(sa, inner, creation) : handleChildSaResponse(core, sa, inner, creation)
}

function isOfIkeSa(inner: readonly Payload[]): boolean {
  return find(inner, 'SA')?.proposals.some(({ protocol }) => protocol === ProtocolId.IKE) === true
}
