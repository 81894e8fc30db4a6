import { describe, expect, it } from 'vitest'
import { notPermitted } from '../../src/network/permission.ts'

describe('without CAP_NET_ADMIN', () => {
  it('says what works', () => {
    expect(notPermitted('underpass0')).toMatchObject({
      code: 'NOT_PERMITTED',
      message:
        'underpass0 cannot be made: run as root or with CAP_NET_ADMIN; inside a network namespace of your own without /dev/net/tun, with [tun] device = "packet"',
    })
  })
})
