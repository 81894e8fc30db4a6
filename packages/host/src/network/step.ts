/** One change to the host and what takes it back. Steps are plain data: printed by --dry-run, journalled before they are done. */
import { formatCommand } from './commands.ts'

export interface Step {
  /** Two steps with the same key are the same change. */
  readonly key: string
  /** For people: 'route 10.2.0.0/24 through underpass0'. */
  readonly what: string
  readonly action: Action
  /** 'nothing': it goes with the device. 'restore': what the file held before (only for 'write'). */
  readonly undo: Action | 'nothing' | 'restore'
  readonly lives: Lifetime
  /** "File exists" is no error: somebody else has made it so, and it is not ours to undo. */
  readonly mayExist?: boolean
  /** Of one that may: how what is there is found out, and what its being there means. */
  readonly existing?: { readonly question: Extract<Action, { kind: 'run' }>; readonly instead: string }
}

/**
 * What a change outlives when this process is killed. 'device': nothing, the kernel removes the TUN device with the process and
 * everything on it. 'namespace': the process, until reboot. 'disk': a reboot too.
 */
export type Lifetime = 'device' | 'namespace' | 'disk'

export type Action =
  /** Comes with opening the device; nothing is run for it. */
  | { readonly kind: 'open'; readonly device: string }
  | { readonly kind: 'run'; readonly program: 'ip' | 'resolvectl'; readonly args: readonly string[] }
  /** `onlyOver`: left alone unless the file holds this, give or take white space at its end. */
  | { readonly kind: 'write'; readonly path: string; readonly content: string; readonly onlyOver?: string }

export function ip(...args: readonly string[]): Extract<Action, { kind: 'run' }> {
  return { kind: 'run', program: 'ip', args }
}

export function resolvectl(...args: readonly string[]): Action {
  return { kind: 'run', program: 'resolvectl', args }
}

/** As one could type it. */
export function formatAction(action: Action): string {
  switch (action.kind) {
    case 'open':
      return `open ${action.device}`
    case 'run':
      return formatCommand(action.program, action.args)
    case 'write':
      return `write ${JSON.stringify(action.content.trim())} to ${action.path}`
    default:
      return action satisfies never
  }
}

export function formatUndo({ undo }: Step): string {
  if (undo === 'nothing') return 'goes with the device'
  return undo === 'restore' ? 'put back what it held' : formatAction(undo)
}
