/**
 * One endpoint in several cores, each with the IKE SAs that began with it. Whose a message is must be seen from its octets alone, by
 * the kernel where it can look: the SPIs that a core makes end in its number.
 *
 *      IKE SPI  | 58 random bits | 6 bits: index |        ESP SPI  | 26 random bits | 6 bits: index |
 *
 * RFC 7296 §2.6 asks of an IKE SPI that it be unique, and RFC 4303 §2.1 leaves an ESP SPI to the receiver: both may say something.
 */
import type { Endpoint } from './contract.ts'
import type { Core } from './core.ts'
import type { IkeSa } from './ike/ike-sa.ts'
import { closeForNewcomer, makeRoom } from './ike/ike-sa-life.ts'

/** What one core is told of what happened in another. SPIs are as `localSpi` of the events has them. */
export type ShardCommand =
  /**
   * INITIAL_CONTACT (RFC 7296 §2.4) came to another core: these, which the same identity had here, are gone, but for those that began after
   * the one that it came with. `from`: where the identity is now.
   */
  | {
      readonly kind: 'forget'
      readonly localSpis: readonly string[]
      readonly identity: string
      readonly from: Endpoint
      readonly begunMillisecondsAgo: number
    }
  /** The cores together have more of one identity than limits.maxIkeSasPerIdentity: of these the one without a path, or else the first, gives way. */
  | { readonly kind: 'make-room'; readonly localSpis: readonly string[] }

export function obeyShardCommand(core: Core, command: ShardCommand): void {
  const sas = command.localSpis.flatMap((spi) => core.ikeSas.get(BigInt(`0x${spi}`)) ?? []).filter((sa) => sa.state.kind === 'ESTABLISHED')
  if (command.kind === 'forget') {
    const begunAt = core.now - command.begunMillisecondsAgo
    for (const sa of sas) if (sa.begunAt <= begunAt) closeForNewcomer(core, sa, command.identity, command.from)
    return
  }
  const first: IkeSa | undefined = sas.find((sa) => sa.path === undefined) ?? sas[0]
  if (first) makeRoom(core, first, [first])
}
