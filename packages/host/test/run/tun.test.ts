import { describe, expect, it } from 'vitest'
import { openTunDevice } from '../../src/run/index.ts'

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
