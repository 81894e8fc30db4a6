// strongSwan 5.9.8 with its userspace data path: started, asked, and read as evidence. ESP in UDP only.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cache, peers } from './lab.mjs'
import { must, run, until } from './process.mjs'

const root = () => join(cache, 'strongswan/root')

/**
 * Starts charon in `namespace` with a swanctl.conf and waits until it is loaded. `prepare` puts certificates and keys into its
 * folders. `fragmentSize`: octets of a datagram of IKE, its headers and all.
 * @param {import('./lab.mjs').Lab} lab
 */
export async function startStrongswan(lab, namespace, { swanctlConf, label = 'strongswan', fragmentSize, prepare = () => {} }) {
  await must([join(peers, 'strongswan-unpack.sh'), join(cache, 'strongswan')], { timeout: 300_000 })
  const dir = lab.folder(label)
  const charon = lab.background(`${label}-charon`, [
    ...(fragmentSize === undefined ? [] : ['env', `FRAGMENT_SIZE=${fragmentSize}`]),
    join(peers, 'strongswan-run.sh'),
    namespace,
    root(),
    dir,
    'charon',
  ])
  const strongswan = new Strongswan(lab, namespace, dir, charon)
  await until('charon', async () => {
    if (charon.exitCode !== undefined) throw new Error(`charon ended: ${charon.lines.slice(-5).join(' ')}`)
    return (await strongswan.try('--stats')).code === 0
  })
  prepare(join(dir, 'swanctl'))
  writeFileSync(join(dir, 'swanctl/swanctl.conf'), swanctlConf)
  await strongswan.swanctl('--load-all')
  return strongswan
}

export class Strongswan {
  constructor(lab, namespace, dir, charon) {
    this.lab = lab
    this.namespace = namespace
    this.dir = dir
    this.charon = charon
  }

  /** One swanctl command; returns what it prints, throws when it fails. */
  async swanctl(...argv) {
    const { code, stdout, stderr } = await this.try(...argv)
    if (code !== 0) throw new Error(`swanctl ${argv.join(' ')}: ${(stderr + stdout).trim().slice(-600)}`)
    return stdout
  }

  try(...argv) {
    return run([join(peers, 'strongswan-run.sh'), this.namespace, root(), this.dir, 'swanctl', ...argv], { timeout: 30_000 })
  }

  log() {
    try {
      return readFileSync(join(this.dir, 'charon.log'), 'utf8')
    } catch {
      return ''
    }
  }

  waitForLog(pattern, { timeout = 15_000, since = 0 } = {}) {
    return until(`${pattern} in charon's log`, () => this.log().slice(since).match(pattern)?.[0] ?? undefined, timeout)
  }

  async sa() {
    return readSa(await this.swanctl('--list-sas'))
  }
}

/** What `--list-sas` says of the first IKE SA and its Child SA, or undefined when there is none. */
export function readSa(text) {
  if (!/ESTABLISHED/.test(text)) return undefined
  return {
    text,
    ike: text.match(/^\s+(\S+\/PRF_\S+)$/m)?.[1],
    esp: text.match(/INSTALLED, (TUNNEL[^\n]*)/)?.[1],
    inOctets: Number(text.match(/^\s+in\s+\S+.*?(\d+) bytes/m)?.[1] ?? 0),
    outOctets: Number(text.match(/^\s+out\s+\S+.*?(\d+) bytes/m)?.[1] ?? 0),
    local: text.match(/^\s+local .* @ (\S+?)\[/m)?.[1],
    remote: text.match(/^\s+remote .* @ (\S+?)\[/m)?.[1],
    ikeSpis: text
      .match(/IKEv2, (\w+_i)\*? (\w+_r)/)
      ?.slice(1)
      .join(' '),
    espSpis: [...text.matchAll(/^\s+(?:in|out)\s+([0-9a-f]{8})/gm)].map(([, spi]) => `0x${spi}`),
  }
}
