// A client with two ways, a cable and the air, to a router.
export const CABLE = '10.98.1.1'
export const AIR = '10.98.2.1'

/** The cable is preferred. */
export async function twoWays(lab) {
  const [client, router] = [await lab.namespace('a'), await lab.namespace('r')]
  for (const [device, address, via, metric] of [
    ['cable', CABLE, '10.98.1.2', 100],
    ['air', AIR, '10.98.2.2', 600],
  ]) {
    await lab.link({ namespace: client, device, address: `${address}/24` }, { namespace: router, device, address: `${via}/24` })
    await lab.mustIn(client, ['ip', 'route', 'add', 'default', 'via', via, 'metric', String(metric)])
  }
  await lab.mustIn(router, ['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  return { client, router }
}

export const SERVER = '10.98.9.2'

export async function serverBehind(lab, router) {
  const server = await lab.namespace('b')
  await lab.link(
    { namespace: router, device: 'out', address: '10.98.9.1/24' },
    { namespace: server, device: 'wire', address: `${SERVER}/24` },
  )
  await lab.mustIn(server, ['ip', 'route', 'add', 'default', 'via', '10.98.9.1'])
  return server
}

export function pullTheCable(lab, client) {
  return lab.mustIn(client, ['ip', 'link', 'set', 'cable', 'down'])
}

/** The air gives the client another address in place of the one that it has. */
export async function readdress(lab, client, to) {
  await lab.mustIn(client, ['ip', 'addr', 'del', `${AIR}/24`, 'dev', 'air'])
  await lab.mustIn(client, ['ip', 'addr', 'add', `${to}/24`, 'dev', 'air'])
  // With its last address the route may be gone, or not.
  await lab.in(client, ['ip', 'route', 'add', 'default', 'via', '10.98.2.2', 'metric', '600'])
}
