/** The times of a Child SA's life (RFC 7296 §2.8): rekeyed before its end, drained after it. */
import { eraseChild, removeChild } from '../../child/child-life.ts'
import type { ChildSa } from '../../child/child-sa.ts'
import type { Core } from '../../core.ts'
import { deleteIkeSa } from '../ike-sa-life.ts'
import { buildChildSaDelete } from '../informational-requests.ts'
import { sendRequest } from '../transmission.ts'
import { rekeyChildSa } from './child-sa-creation.ts'
import { isBeingDeleted } from './creation.ts'

export function onChildSaTimer(core: Core, child: ChildSa, name: ChildSa['timerNames']): void {
  switch (name) {
    case 'rekey':
      return rekeyChildSa(core, child)
    case 'expire':
      return endChildSa(core, child, 'its lifetime is over')
    case 'replaced':
      return deleteReplaced(core, child)
    case 'drain':
      return eraseChild(core, child)
    default:
      return name satisfies never
  }
}

/** One that has carried as much as it may: first it is rekeyed, then it is not used any more. */
export function wearChildSa(core: Core, child: ChildSa): void {
  const { hard } = child.lifetime
  const isOver = child.allowance === hard
  child.allowance = isOver ? UNLIMITED : hard
  if (isOver) return endChildSa(core, child, 'it has carried all that it may')
  core.count('child-sas-worn')
  rekeyChildSa(core, child)
}

/** §2.8: what could not be rekeyed in time ends with its IKE SA. */
function endChildSa(core: Core, child: ChildSa, reason: string): void {
  if (!child.ikeSa.children.has(child)) return
  if (child.successor) return removeChild(core, child, reason)
  deleteIkeSa(core, child.ikeSa, `a Child SA could not be rekeyed in time: ${reason}`)
}

/** The Delete of who rekeyed it did not come. */
function deleteReplaced(core: Core, child: ChildSa): void {
  const sa = child.ikeSa
  if (sa.children.has(child) && !isBeingDeleted(sa, child)) sendRequest(core, sa, buildChildSaDelete([child]))
}

const UNLIMITED = { packets: Number.POSITIVE_INFINITY, octets: Number.POSITIVE_INFINITY }
