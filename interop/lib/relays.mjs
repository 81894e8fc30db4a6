// What stands between a client and a gateway besides HTTP proxies, by others: dante (SOCKS 5), haproxy and stunnel.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RunningProxy } from './proxies.mjs'

/** dante, SOCKS 5 for whoever comes from `from`; its log is what it prints. `external`: from where it connects. */
export function startDante(lab, namespace, { label = 'dante', address, port, external, from }) {
  const conf = join(lab.folder(label), 'danted.conf')
  const pass = (kind) => `${kind} pass { from: ${from} to: 0.0.0.0/0 log: connect disconnect error }`
  const lines = [
    'logoutput: stdout',
    `internal: ${address} port = ${port}`,
    `external: ${external}`,
    'clientmethod: none',
    'socksmethod: none',
    'user.privileged: root',
    // Whoever changes its user is not told of its parent's death any more.
    'user.unprivileged: root',
    pass('client'),
    pass('socks'),
  ]
  writeFileSync(conf, `${lines.join('\n')}\n`)
  return new ForkingProxy(lab, namespace, { label, argv: ['danted', '-f', conf], port }).start()
}

/** One whose children would go on with the connections that they have, and which is at its end when they are. */
class ForkingProxy extends RunningProxy {
  async stop() {
    const { pid } = this.background
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
    const stopped = super.stop()
    for (const child of children) kill(child)
    await stopped
  }
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went before.
  }
}

/**
 * haproxy, which passes TCP on as it is and puts a PROXY header before it; a line for each connection, when it has ended.
 * `ways`: {at: 'address:port', to: 'address:port', header: 'send-proxy' | 'send-proxy-v2'}
 */
export function startHaproxy(lab, namespace, { label = 'haproxy', ways, port }) {
  const conf = join(lab.folder(label), 'haproxy.cfg')
  const lines = [
    'global',
    '  log stdout format raw daemon',
    'defaults',
    '  mode tcp',
    '  log global',
    '  option tcplog',
    '  option logasap',
    '  timeout connect 5s',
    '  timeout client 1h',
    '  timeout server 1h',
    ...ways.flatMap(({ at, to, header }, i) => [`listen way${i}`, `  bind ${at}`, `  server gateway ${to} ${header}`]),
  ]
  writeFileSync(conf, `${lines.join('\n')}\n`)
  return new RunningProxy(lab, namespace, { label, argv: ['haproxy', '-db', '-f', conf], port }).start()
}

/** stunnel. `services`: for each the lines of its section; its log is what it prints. */
export function startStunnel(lab, namespace, { label = 'stunnel', services, port }) {
  const dir = lab.folder(label)
  const conf = join(dir, 'stunnel.conf')
  const lines = ['foreground = yes', 'pid =', 'syslog = no', 'debug = info', `output = ${join(dir, 'stunnel.log')}`]
  for (const [name, section] of Object.entries(services)) lines.push(`[${name}]`, ...section)
  writeFileSync(conf, `${lines.join('\n')}\n`)
  return new RunningProxy(lab, namespace, { label, argv: ['stunnel4', conf], log: join(dir, 'stunnel.log'), port }).start()
}
