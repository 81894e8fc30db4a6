// A burst of UDP datagrams: many, and all at once but for a breath after every few, for UDP has nobody to say "slower".
import { setTimeout as sleep } from 'node:timers/promises'

const AT_ONCE = 25

export async function sendBurst(socket, count, octets, port, address) {
  const payload = Buffer.alloc(octets, 'x')
  for (let sent = 0; sent < count; sent++) {
    socket.send(payload, port, address)
    if (sent % AT_ONCE === AT_ONCE - 1) await sleep(1)
  }
}
