import { describe, expect, it } from 'vitest'
import { differences } from '../check-configuration.mjs'

const PAGE = `## [limits]

| Key | Default | |
|---|---|---|
| \`max_ike_sas\` | 20,000 | |
| \`cookies_over_tcp\` | false | |

## [timers]

| \`udp_probe\`, \`max_udp_probe\` | "1m", "1h" | |
| \`retransmit\` | "500ms" | |
`

describe('the defaults on the configuration page', () => {
  it('are those of the code', () => {
    expect(differences(PAGE, 'limits', { maxIkeSas: 20_000, cookiesOverTcp: false })).toEqual([])
    expect(differences(PAGE, 'timers', { udpProbe: 60_000, maxUdpProbe: 3_600_000, retransmit: 500 })).toEqual([])
  })

  it('or are told: another value, a key without a row, a row without a key', () => {
    expect(differences(PAGE, 'limits', { maxIkeSas: 20_001, maxConnections: 5 })).toEqual([
      'docs/04-configuration.md: [limits] has no row for max_connections',
      'docs/04-configuration.md: [limits] max_ike_sas is 20001, not 20,000',
      'docs/04-configuration.md: [limits] cookies_over_tcp is no key',
    ])
    expect(differences(PAGE, 'timers', { udpProbe: 60_000, maxUdpProbe: 60_000, retransmit: 500 })).toEqual([
      'docs/04-configuration.md: [timers] max_udp_probe is 60000, not "1h"',
    ])
  })
})
