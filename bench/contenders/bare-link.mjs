import { GATEWAY } from '../lib/two-ends.mjs'

/** The veth pair itself, with nothing on it. */
export const bareLink = {
  name: 'bare link',
  group: 'bare',
  outer: '–',
  isInstalled: () => undefined,
  start: async () => ({ address: GATEWAY }),
}
