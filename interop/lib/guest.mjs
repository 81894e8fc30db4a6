// A qemu guest whose kernel has IPsec, with somebody's IKE daemon in it: started, asked, and read as evidence.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { peers } from './lab.mjs'
import { run, until } from './process.mjs'

export class Guest {
  constructor(lab, namespace, dir) {
    this.lab = lab
    this.namespace = namespace
    this.dir = dir
  }

  /** Boots it in the namespace and waits until its daemon listens and its shell answers. `dir` holds what the daemon is told. */
  async boot(label, env) {
    const vm = this.lab.background(`${label}-qemu`, [join(peers, 'libreswan-vm.sh'), this.namespace, this.dir], { env })
    await until(
      'the guest to be ready',
      () => {
        if (vm.exitCode !== undefined) throw new Error(`qemu ended: ${vm.lines.slice(-5).join(' ')}`)
        return this.log().includes('GUEST READY')
      },
      90_000,
      250,
    )
    // Not the daemon's port: the shell, which comes up last.
    await until('the guest shell', async () => (await this.tryGuest('echo up')).includes('up'), 20_000, 300)
    return this
  }

  /** The console: init's lines, then the daemon's log. */
  log() {
    try {
      return readFileSync(join(this.dir, 'console.log'), 'utf8')
    } catch {
      return ''
    }
  }

  /** The first match of `pattern` in the log from octet `since` on. */
  waitForLog(pattern, { timeout = 20_000, since = 0 } = {}) {
    return until(`${pattern} in the daemon's log`, () => this.log().slice(since).match(pattern)?.[0] ?? undefined, timeout)
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
