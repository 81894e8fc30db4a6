import { describe, expect, it } from 'vitest'
import { chooseSocket } from '../../src/run/udp.ts'

const at = (address: string, port: number) => ({ local: { address, port } })
const ANY = { address: '', port: 0 }

describe('RFC 3948 §2: the socket that a datagram leaves from', () => {
  const sockets = [at('0.0.0.0', 500), at('0.0.0.0', 4500), at('::', 500), at('::', 4500)]
  const choice = (local: { address: string; port: number }, address: string, port: number, among = sockets) => {
    const found = chooseSocket(among, local, { address, port })
    return found && `${found.local.address} ${found.local.port}`
  }

  it('is the one the core names, of the family of the peer', () => {
    expect(choice({ address: '192.0.2.1', port: 4500 }, '198.51.100.7', 500)).toBe('0.0.0.0 4500')
    expect(choice({ address: '2001:db8::1', port: 500 }, '2001:db8::7', 500)).toBe(':: 500')
  })

  it('is the one bound to the address that the core names, where there are several', () => {
    const several = [at('192.0.2.1', 4500), at('192.0.2.2', 4500), at('0.0.0.0', 4500)]
    expect(choice({ address: '192.0.2.2', port: 4500 }, '198.51.100.7', 9, several)).toBe('192.0.2.2 4500')
    expect(choice({ address: '192.0.2.3', port: 4500 }, '198.51.100.7', 9, several)).toBe('0.0.0.0 4500')
  })

  it('is, where the core does not care, the one on the same port as the peer’s, and never 500 towards another port', () => {
    expect(choice(ANY, '198.51.100.7', 500)).toBe('0.0.0.0 500')
    expect(choice(ANY, '198.51.100.7', 4500)).toBe('0.0.0.0 4500')
    expect(choice(ANY, '198.51.100.7', 12_345)).toBe('0.0.0.0 4500')
    expect(choice(ANY, '198.51.100.7', 4500, [at('0.0.0.0', 500)])).toBe(undefined)
  })

  it('is never one of the other family', () => {
    expect(choice(ANY, '198.51.100.7', 4500, [at('::', 4500)])).toBe(undefined)
    expect(choice(ANY, '2001:db8::7', 4500, [at('0.0.0.0', 4500)])).toBe(undefined)
  })
})
