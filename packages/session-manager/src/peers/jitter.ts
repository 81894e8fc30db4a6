import type { Core } from '../core.ts'

/** 80 % to 120 %, so that many clients do not come back in step. */
export function withJitter(core: Core, milliseconds: number): number {
  return Math.round(milliseconds * (0.8 + (0.4 * core.random(1)[0]!) / 255))
}
