import type { ProxyDialogue, ProxyTarget } from './dialogue.ts'
import { HttpConnect } from './http-connect.ts'
import type { ProxyServer } from './proxy.ts'
import { Socks5 } from './socks5.ts'

/** Connections for one dialogue: one for the question, one for the answer to a challenge, and one more where its nonce is stale. */
export const MAX_CONNECTIONS = 3

export function dialogueWith(proxy: ProxyServer, target: ProxyTarget): ProxyDialogue {
  return proxy.protocol === 'socks5' ? new Socks5(proxy, target) : new HttpConnect(proxy, target)
}
