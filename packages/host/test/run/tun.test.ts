import { describe, expect, it } from 'vitest'
import { openTunDevice } from '../../src/run/index.ts'
import { queueLength } from '../../src/run/tun.ts'

describe('openTunDevice', () => {
  it('opens a device without an interface', () => {
    const { device, close } = openTunDevice({ device: 'memory', name: 'inner0', mtu: 1300 })
    expect(device).toMatchObject({ kind: 'memory', name: 'inner0', mtu: 1300 })
    close()
  })

  it.each(['tun', 'packet'] as const)('says of a %s what is wrong with its name', (device) => {
    expect(() => openTunDevice({ device, name: 'a name with spaces', mtu: 1300 })).toThrow(
      /"a name with spaces" cannot be the name of an interface/,
    )
  })
})

it('of long packets fewer wait in the interface, so that it is never more than 8 MB, and 128 always may', () => {
  expect([576, 1_400, 2_097, 9_000, 65_498, 65_535].map(queueLength)).toEqual([4_000, 4_000, 4_000, 932, 128, 128])
})
