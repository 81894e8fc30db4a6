// What the peers are told. Names and addresses are the same in every scenario, so that a scenario is only its difference.
export const SECRET = 'an-interop-laboratory-secret-of-48-octets-length'
export const GATEWAY_ID = '@gateway.underpass.example'
export const CLIENT_ID = '@client.underpass.example'

/** The suites of the matrix, in Underpass's words and in strongSwan's. */
export const SUITES = [
  { name: 'aes256gcm16-x25519', ike: 'aes256gcm16-prfsha256-x25519', esp: 'aes256gcm16' },
  { name: 'aes256-sha256-modp2048', ike: 'aes256-sha256-modp2048', esp: 'aes256-sha256' },
]

const conn = (name, options) =>
  `conn ${name}\n${Object.entries(options)
    .map(([key, value]) => `    ${key}=${value}\n`)
    .join('')}\n`
const BOTH = { ikev2: 'insist', authby: 'secret', narrowing: 'yes', auto: 'add', 'retransmit-timeout': '10s' }

/** One `conn` for each of `clients`: {name, id, pool, and what else}. */
export function libreswanResponder({ address = '10.99.0.2', subnet = '10.2.0.0/24', clients }) {
  const conns = clients.map(({ name, id, pool, ...more }) =>
    conn(name, {
      ...BOTH,
      left: address,
      leftid: GATEWAY_ID,
      leftsubnet: subnet,
      right: '%any',
      rightid: id,
      rightaddresspool: pool,
      // Without it pluto does not take up an SA on a new connection.
      mobike: 'yes',
      ...more,
    }),
  )
  const secrets = clients.map(({ id }) => `${GATEWAY_ID} ${id} : PSK "${SECRET}"\n`).join('')
  return { ipsecConf: `config setup\n    listen-tcp=yes\n\n${conns.join('')}`, secrets }
}

/** Initiates over TCP alone; asks for an address. `others`: by their names, what other `conn`s have that differs. */
export function libreswanInitiator({ address = '10.99.0.2', gateway = '10.99.0.1', subnet = '10.1.0.0/24', others = {}, ...more } = {}) {
  const up = {
    ...BOTH,
    left: address,
    leftid: CLIENT_ID,
    leftsubnet: '0.0.0.0/0',
    leftmodecfgclient: 'yes',
    right: gateway,
    rightid: GATEWAY_ID,
    rightsubnet: subnet,
    'enable-tcp': 'yes',
    'tcp-remoteport': '4500',
    mobike: 'yes',
    dpddelay: '2s',
    dpdtimeout: '10s',
    dpdaction: 'restart',
    ...more,
  }
  const conns = [conn('up', up), ...Object.entries(others).map(([name, differs]) => conn(name, { ...up, ...differs }))]
  return {
    ipsecConf: `config setup\n    listen-tcp=yes\n\n${conns.join('')}`,
    secrets: `${CLIENT_ID} ${GATEWAY_ID} : PSK "${SECRET}"\n`,
  }
}

/** `ppk`: {id, psk, required}. */
const ppkLines = (ppk) => (ppk ? `    ppk_id = ${ppk.id}\n    ppk_required = ${ppk.required ? 'yes' : 'no'}\n` : '')
const ppkBlock = (ppk) => (ppk ? `secrets {\n  ppk-lab {\n    id = ${ppk.id}\n    secret = "${ppk.psk}"\n  }\n}\n` : '')

const secretBlock = `secrets {\n  ike-lab {\n    id-1 = ${GATEWAY_ID}\n    id-2 = ${CLIENT_ID}\n    secret = "${SECRET}"\n  }\n}\n`

/** charon as gateway with a pool, one connection for all suites. `encap`: whether it pretends to be behind a NAT. */
export function strongswanResponder({ address, suites = SUITES, encap = 'yes', ppk }) {
  return `connections {
  road {
    version = 2
    encap = ${encap}
    mobike = yes
    local_addrs = ${address}
    proposals = ${suites.map(({ ike }) => ike).join(',')}
    pools = inner
${ppkLines(ppk)}    dpd_delay = 3s
    local {
      auth = psk
      id = ${GATEWAY_ID}
    }
    remote {
      auth = psk
      id = ${CLIENT_ID}
    }
    children {
      net {
        local_ts = 10.2.0.0/24
        esp_proposals = ${suites.map(({ esp }) => esp).join(',')}
      }
    }
  }
}
pools {
  inner {
    addrs = 10.8.0.10-10.8.0.100
  }
}
${secretBlock}${ppkBlock(ppk)}`
}

/** charon as client: a connection a suite, `up-NAME` with child `net-NAME`. Without `address` it takes what the routes say, and may move. */
export function strongswanInitiator({ address = '%any', gateway, suites = SUITES, encap = 'yes', ppk }) {
  const connections = suites.map(
    ({ name, ike, esp }) => `  up-${name} {
    version = 2
    encap = ${encap}
    mobike = yes
    local_addrs = ${address}
    remote_addrs = ${gateway}
    proposals = ${ike}
    vips = 0.0.0.0
${ppkLines(ppk)}    dpd_delay = 3s
    local {
      auth = psk
      id = ${CLIENT_ID}
    }
    remote {
      auth = psk
      id = ${GATEWAY_ID}
    }
    children {
      net-${name} {
        remote_ts = 10.1.0.0/24
        esp_proposals = ${esp}
      }
    }
  }
`,
  )
  return `connections {\n${connections.join('')}}\n${secretBlock}${ppkBlock(ppk)}`
}
