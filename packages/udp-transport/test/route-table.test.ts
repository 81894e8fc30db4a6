import { describe, expect, it } from 'vitest'
import { localAddressToward, routedAddress } from '../src/local-address.ts'
import { addressOctets, chooseRoute, parseIpv4Routes, parseIpv6Routes } from '../src/route-table.ts'

const IPV4 = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
tun0\t0064A8C0\t00000000\t0001\t0\t0\t0\t00FEFFFF\t0\t0\t0
down0\t0033C6CB\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0
`
const IPV6 = `fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`

describe('the routing table', () => {
  it('IPv4: the longest prefix wins, then the lowest metric, and only routes that are up', () => {
    const routes = parseIpv4Routes(IPV4)
    expect(routes.length).toBe(4)
    expect(chooseRoute(routes, addressOctets('192.0.2.77'))).toMatchObject({ device: 'eth0', prefixLength: 24, gateway: undefined })
    expect(chooseRoute(routes, addressOctets('198.51.100.1'))).toMatchObject({ device: 'eth0', gateway: addressOctets('192.0.2.1') })
    expect(chooseRoute(routes, addressOctets('192.168.100.9'))?.device).toBe('tun0')
    expect(chooseRoute(routes, addressOctets('192.168.101.9'))?.device).toBe('tun0')
    expect(chooseRoute(routes, addressOctets('192.168.102.9'))?.device).toBe('eth0')
    expect(chooseRoute(routes, addressOctets('203.198.51.1'))?.device).toBe('eth0')
  })

  it('IPv6: the reject route of lo is none', () => {
    const routes = parseIpv6Routes(IPV6)
    expect(routes.length).toBe(2)
    expect(chooseRoute(routes, addressOctets('fd00::77'))).toMatchObject({ prefixLength: 64, gateway: undefined })
    expect(chooseRoute(routes, addressOctets('2001:db8::1'))).toMatchObject({ prefixLength: 0, gateway: addressOctets('fd00::1') })
  })

  it.each([
    ['::', new Array(16).fill(0)],
    ['::1', [...new Array(15).fill(0), 1]],
    ['fe80::1%eth0', [0xfe, 0x80, ...new Array(13).fill(0), 1]],
    ['2001:db8:1:2:3:4:5:6', [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]],
    ['::ffff:192.0.2.1', [...new Array(10).fill(0), 0xff, 0xff, 192, 0, 2, 1]],
    ['192.0.2.1', [192, 0, 2, 1]],
  ])('%s in octets', (address, octets) => {
    expect([...addressOctets(address)]).toEqual(octets)
  })

  it.each(['127.0.0.1', '127.9.9.9', '::1', '198.51.100.1', '2001:db8::1'])('agrees with the kernel toward %s', async (address) => {
    const routed = await routedAddress(address).catch((error) => error.code)
    const kernel = await localAddressToward({ address, port: 4500 }).catch((error) => error.code)
    // The whole of 127/8 is ours; the kernel answers with the address itself, or with 127.0.0.1 for those not assigned.
    if (address === '127.9.9.9') expect(['127.0.0.1', address]).toContain(kernel)
    else if (kernel !== 'SOCKET_ERROR' && kernel !== 'ADDRESS_NOT_AVAILABLE') expect(routed).toBe(kernel)
  })
})
