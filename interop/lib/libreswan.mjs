// Libreswan 4.10 in a guest whose kernel has ESP in TCP: started, asked, and read as evidence.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { peers } from './lab.mjs'
import { must, run, until } from './process.mjs'

const WHACK = 'ipsec whack --ctlsocket /run/pluto/pluto.ctl'

/**
 * Boots the guest in `namespace` and waits until pluto listens.
 * @param {import('./lab.mjs').Lab} lab
 * @param {{ipsecConf: string, secrets: string, env?: Record<string, string>}} options
 */
export async function startLibreswan(lab, namespace, { ipsecConf, secrets, env, label = 'libreswan' }) {
  const dir = lab.folder(label)
  writeFileSync(join(dir, 'ipsec.conf'), ipsecConf)
  writeFileSync(join(dir, 'ipsec.secrets'), secrets)
  await must(['ipsec', 'initnss', '--nssdir', lab.folder(`${label}/nss`)])
  const vm = lab.background(`${label}-qemu`, [join(peers, 'libreswan-vm.sh'), namespace, dir], { env })
  const libreswan = new Libreswan(lab, namespace, dir, vm)
  await until(
    'the guest to be ready',
    () => {
      if (vm.exitCode !== undefined) throw new Error(`qemu ended: ${vm.lines.slice(-5).join(' ')}`)
      return libreswan.log().includes('GUEST READY')
    },
    90_000,
    250,
  )
  // Not pluto's port: the shell, which comes up last.
  await until('the guest shell', async () => (await libreswan.tryGuest('echo up')).includes('up'), 20_000, 300)
  return libreswan
}

export class Libreswan {
  constructor(lab, namespace, dir, vm) {
    this.lab = lab
    this.namespace = namespace
    this.dir = dir
    this.vm = vm
  }

  /** The console: init's lines, then pluto's log. */
  log() {
    try {
      return readFileSync(join(this.dir, 'console.log'), 'utf8')
    } catch {
      return ''
    }
  }

  /** The first match of `pattern` in the log from octet `since` on. */
  waitForLog(pattern, { timeout = 20_000, since = 0 } = {}) {
    return until(`${pattern} in pluto's log`, () => this.log().slice(since).match(pattern)?.[0] ?? undefined, timeout)
  }

  /** Runs shell commands in the guest; returns what they print. */
  async guest(commands, { timeout = 60_000 } = {}) {
    const { code, stdout, stderr } = await this.#shell(commands, timeout)
    if (code !== 0) throw new Error(`guest shell: ${commands}: ${stderr.trim()}`)
    return stdout
  }

  async tryGuest(commands) {
    return (await this.#shell(commands, 5_000)).stdout
  }

  whack(argumentsText, options) {
    return this.guest(`${WHACK} ${argumentsText} 2>&1`, options)
  }

  /** `ip -s xfrm state`, one entry an SA: {spi, destination, encap, bytes, packets}. */
  async xfrmStates() {
    const text = await this.guest('ip -s xfrm state')
    return text
      .split(/^(?=src )/m)
      .filter((block) => block.startsWith('src '))
      .map((block) => ({
        source: block.match(/^src (\S+)/)?.[1],
        destination: block.match(/ dst (\S+)/)?.[1],
        spi: block.match(/spi (0x[0-9a-f]+)/)?.[1],
        encap: block.match(/encap type (\S+)/)?.[1],
        ports: block
          .match(/sport (\d+) dport (\d+)/)
          ?.slice(1)
          .join('→'),
        bytes: Number(block.match(/lifetime current:\s+(\d+)\(bytes\)/)?.[1] ?? 0),
        packets: Number(block.match(/(\d+)\(packets\)/)?.[1] ?? 0),
      }))
  }

  /** pluto's own counters, e.g. globalStatus().get('total.iketcp.server.started'). */
  async globalStatus() {
    const text = await this.whack('--globalstatus')
    return new Map([...text.matchAll(/^(\S+?)=(.*)$/gm)].map(([, key, value]) => [key, value]))
  }

  /** One line a Child SA. */
  async trafficStatus() {
    return (await this.whack('--trafficstatus')).replaceAll(/^\d+ /gm, '').trim()
  }

  /** Resets every TCP connection of the IKE port from inside the guest; returns how many. */
  async resetConnections(port = 4500) {
    const killed = await this.guest(`ss -K -tn state established '( sport = :${port} or dport = :${port} )'`)
    return killed.split('\n').filter((line) => line.includes(`:${port}`)).length
  }

  /** Gives back what comes by TCP, from now on. */
  serveEcho(port = 6100) {
    return this.guest(`busybox nc -ll -p ${port} -e /bin/cat > /dev/null 2>&1 &`)
  }

  /** UDP datagrams that came to anybody in the guest: its kernel's own count. */
  async datagramsIn() {
    const [names, values] = [...(await this.guest('cat /proc/net/snmp')).matchAll(/^Udp: (.*)$/gm)].map(([, row]) => row.split(' '))
    return Number(values[names.indexOf('InDatagrams')]) + Number(values[names.indexOf('NoPorts')])
  }

  #shell(commands, timeout) {
    return run(['ip', 'netns', 'exec', this.namespace, 'nc', '-N', '192.0.2.2', '2323'], { input: `${commands}\nexit\n`, timeout })
  }
}
