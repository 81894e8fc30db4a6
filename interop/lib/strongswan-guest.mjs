// strongSwan 5.9.8 in the guest, on its kernel's IPsec, which moves an SA as MOBIKE asks; the data path in userspace (`strongswan.mjs`) cannot.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Guest } from './guest.mjs'
import { cache, peers } from './lab.mjs'
import { must } from './process.mjs'
import { readSa } from './strongswan.mjs'

const PLUGINS =
  'random nonce openssl aes sha1 sha2 hmac kdf gcm ctr curve25519 pem pkcs1 pkcs8 x509 pubkey constraints revocation vici kernel-netlink socket-default attr updown counters'
const SWANCTL = `chroot /run/root /usr/bin/env STRONGSWAN_CONF=/run/lab/strongswan.conf SWANCTL_DIR=/run/lab/swanctl /usr/sbin/swanctl`
const VICI = 'unix:///run/lab/charon.vici'

/** Boots the guest in `namespace` and waits until charon has its configuration. */
export async function startStrongswanGuest(lab, namespace, { swanctlConf, label = 'strongswan' }) {
  const unpacked = join(cache, 'strongswan')
  await must([join(peers, 'strongswan-unpack.sh'), unpacked], { timeout: 300_000 })
  const dir = lab.folder(label)
  for (const folder of ['conf.d', 'x509', 'x509ca', 'private', 'rsa', 'ecdsa', 'pkcs8']) lab.folder(`${label}/swanctl/${folder}`)
  writeFileSync(join(dir, 'swanctl/swanctl.conf'), swanctlConf)
  writeFileSync(join(dir, 'strongswan.conf'), STRONGSWAN_CONF)
  const strongswan = await new StrongswanGuest(lab, namespace, dir).boot(label, { STRONGSWAN_ROOT: join(unpacked, 'root') })
  await strongswan.swanctl('--load-all')
  return strongswan
}

const STRONGSWAN_CONF = `charon {
  load = ${PLUGINS}
  retransmit_tries = 3
  plugins {
    vici {
      socket = ${VICI}
    }
  }
  filelog {
    lab {
      path = /run/lab/charon.log
      time_format = %H:%M:%S
      flush_line = yes
      default = 1
    }
  }
}
`

class StrongswanGuest extends Guest {
  /** One swanctl command; returns what it prints, throws when it fails. */
  async swanctl(sub, more = '') {
    const said = await this.guest(`${SWANCTL} ${sub} --uri ${VICI} ${more} 2>&1; echo "exit $?"`)
    if (!said.trimEnd().endsWith('exit 0')) throw new Error(`swanctl ${sub} ${more}: ${said.trim().slice(-600)}`)
    return said
  }

  async sa() {
    return readSa(await this.swanctl('--list-sas'))
  }
}
