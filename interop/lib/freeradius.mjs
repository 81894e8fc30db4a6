// FreeRADIUS 3.2, unpacked and not installed: one server that knows a few users by EAP, told what it needs and no more.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cache, peers } from './lab.mjs'
import { must, until } from './process.mjs'

const root = () => join(cache, 'freeradius/root')

/**
 * `users`: { name: { password, address, seconds } }. `clients`: who may ask, in CIDR. `certificates`: of EAP-TLS, as `makeCertificates` has one kind.
 * @param {import('./lab.mjs').Lab} lab
 */
export async function startFreeradius(lab, namespace, { address, secret, client, users, certificates, label = 'freeradius' }) {
  await must([join(peers, 'freeradius-unpack.sh'), join(cache, 'freeradius')], { timeout: 300_000 })
  const dir = lab.folder(label)
  writeFileSync(join(dir, 'radiusd.conf'), configuration({ dir, address, secret, client, certificates }))
  writeFileSync(join(dir, 'authorize'), Object.entries(users).map(entry).join(''))
  const server = lab.background(label, [join(peers, 'freeradius-run.sh'), namespace, root(), dir])
  await until('FreeRADIUS', async () => {
    if (server.exitCode !== undefined) throw new Error(`FreeRADIUS ended: ${server.lines.slice(-5).join(' ')}`)
    return server.lines.some((line) => line.includes('Ready to process requests'))
  })
  return server
}

function entry([name, { password, address, seconds }]) {
  const replies = [address && `Framed-IP-Address = ${address}`, seconds && `Session-Timeout = ${seconds}`].filter(Boolean)
  return `${name} Cleartext-Password := "${password}"\n${replies.map((reply) => `\t${reply}`).join(',\n')}\n\n`
}

function configuration({ dir, address, secret, client, certificates }) {
  const { root: ca, gateway } = certificates
  return `libdir = ${root()}/usr/lib/freeradius
logdir = ${dir}
run_dir = ${dir}
pidfile = ${dir}/radiusd.pid
security {
  allow_core_dumps = no
}
client lab {
  ipaddr = ${client}
  secret = ${secret}
  require_message_authenticator = yes
}
modules {
  files {
    filename = ${dir}/authorize
  }
  mschap {
    use_mppe = yes
    require_encryption = yes
    require_strong = yes
  }
  eap {
    default_eap_type = mschapv2
    timer_expire = 60
    ignore_unknown_eap_types = no
    max_sessions = 64
    mschapv2 {
    }
    tls-config common {
      private_key_file = ${gateway.key}
      certificate_file = ${gateway.chain}
      ca_file = ${ca}
      tls_min_version = "1.2"
      tls_max_version = "1.2"
      cipher_list = "DEFAULT"
      ecdh_curve = ""
    }
    tls {
      tls = common
    }
  }
}
server lab {
  listen {
    type = auth
    ipaddr = ${address}
    port = 1812
  }
  authorize {
    files
    eap
  }
  authenticate {
    mschap
    eap
  }
}
`
}
