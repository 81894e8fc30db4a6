import { describe, expect, it } from 'vitest'
import { parseProxy } from '../../src/proxy/proxy.ts'
import { Socks5 } from '../../src/proxy/socks5.ts'
import { told } from './dialogues.ts'

const TARGET = { host: 'gw.example', port: 4500 }
const REQUEST = 'send: \x05\x01\x00\x03\x0agw.example\x11\x94'
const OPEN = '\x05\x00\x00\x01\x7f\x00\x00\x01\x30\x39'

const dialogue = (url = 'socks5://proxy', target = TARGET): Socks5 => new Socks5(parseProxy(url), target)

describe('RFC 1928: SOCKS 5', () => {
  it('§3 to §6: no user, a name that the proxy resolves, and the rest is the target’s', () => {
    expect(told(dialogue(), ['\x05\x00', `${OPEN}IKE`])).toEqual(['\x05\x01\x00', REQUEST, 'open: IKE'])
  })

  it('however the answers are cut up', () => {
    expect(told(dialogue(), [...`\x05\x00${OPEN}`])).toEqual(['\x05\x01\x00', REQUEST, 'open: '])
  })

  it.each([
    ['10.0.0.1', '\x01\x0a\x00\x00\x01'],
    ['2001:db8::1', '\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01'],
    ['::', `\x04${'\x00'.repeat(16)}`],
    ['::ffff:10.0.0.1', `\x04${'\x00'.repeat(10)}\xff\xff\x0a\x00\x00\x01`],
  ])('§5: %s', (host, address) => {
    expect(told(dialogue('socks5://proxy', { host, port: 443 }), ['\x05\x00'])[1]).toBe(`send: \x05\x01\x00${address}\x01\xbb`)
  })

  it.each([
    ['an IPv6 address', `\x04${'x'.repeat(16)}`],
    ['a name', '\x03\x05proxy'],
  ])('§6: the proxy says %s where it is bound', (_, address) => {
    expect(told(dialogue(), ['\x05\x00', `\x05\x00\x00${address}\x30\x39more`]).at(-1)).toBe('open: more')
  })

  it('RFC 1929: user and password, where they are asked for', () => {
    expect(told(dialogue('socks5://me:secret@proxy'), ['\x05\x02', '\x01\x00', OPEN])).toEqual([
      '\x05\x02\x00\x02',
      'send: \x01\x02me\x06secret',
      REQUEST,
      'open: ',
    ])
  })

  it.each([
    [
      'socks5://proxy',
      ['\x05\xff'],
      'PROXY_AUTHENTICATION: the proxy socks5://proxy:1080 asks for a user: write it before its name, as in socks5://user:password@proxy',
    ],
    ['socks5://me:secret@proxy', ['\x05\xff'], 'PROXY_AUTHENTICATION: the proxy socks5://proxy:1080 takes no user with a password'],
    [
      'socks5://me:secret@proxy',
      ['\x05\x02', '\x01\x01'],
      'PROXY_AUTHENTICATION: the proxy socks5://proxy:1080 does not take the user and the password',
    ],
    ['socks5://proxy', ['HTTP/1.1 400'], 'PROXY_PROTOCOL: the proxy socks5://proxy:1080 does not speak SOCKS 5'],
    ['socks5://proxy', ['\x05\x02'], 'PROXY_PROTOCOL: the proxy socks5://proxy:1080 does not speak SOCKS 5'],
    ['socks5://proxy', ['\x05\x00', '\x05\x00\x00\x07\x00'], 'PROXY_PROTOCOL: the proxy socks5://proxy:1080 does not speak SOCKS 5'],
    [
      'socks5://proxy',
      ['\x05\x00', '\x05\x02'],
      'PROXY_REFUSED: the proxy socks5://proxy:1080 was asked for gw.example port 4500 and does not allow it',
    ],
    [
      'socks5://proxy',
      ['\x05\x00', '\x05\x04'],
      'UNREACHABLE: the proxy socks5://proxy:1080 was asked for gw.example port 4500 and finds no way to it, or no such name',
    ],
    [
      'socks5://proxy',
      ['\x05\x00', '\x05\x05'],
      'CONNECTION_REFUSED: the proxy socks5://proxy:1080 was asked for gw.example port 4500 and was refused',
    ],
    [
      'socks5://proxy',
      ['\x05\x00', '\x05\x63'],
      'PROXY_REFUSED: the proxy socks5://proxy:1080 was asked for gw.example port 4500 and answers with the unknown reply 99',
    ],
  ])('%s, %j', (url, answers, error) => {
    expect(told(dialogue(url), answers).at(-1)).toBe(error)
  })
})
