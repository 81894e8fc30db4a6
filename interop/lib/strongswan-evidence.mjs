// What strongSwan itself says of the tunnel: `swanctl --list-sas`.

const CHOSEN = {
  'aes256gcm16-x25519': { ike: 'AES_GCM_16-256/PRF_HMAC_SHA2_256/CURVE_25519', esp: 'ESP:AES_GCM_16-256' },
  'aes256-sha256-modp2048': { ike: 'AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048', esp: 'ESP:AES_CBC-256/HMAC_SHA2_256_128' },
}

/** The suite asked for, ESP in UDP, and counters that moved by `octets` in sum. */
export async function expectEspInUdp(lab, strongswan, suite, octets) {
  const sa = await strongswan.sa()
  if (sa === undefined) throw new Error('swanctl --list-sas: no established IKE SA')
  const { ike, esp } = CHOSEN[suite]
  lab.expect(sa.ike === ike && sa.esp?.includes('in-UDP') && sa.esp.includes(esp), `swanctl --list-sas: ${sa.ike}; ${sa.esp}`, sa.text)
  lab.expect(sa.inOctets + sa.outOctets >= octets, `swanctl --list-sas counts ${sa.inOctets} octets in, ${sa.outOctets} out`)
}

/** The kernel in the guest has the SAs in UDP, with `address` at the end that moves, and their SPIs are those of `before`. */
export async function expectMoved(lab, strongswan, before, end, address) {
  const sa = await strongswan.sa()
  lab.expect(
    sa?.[end] === address && sa.ikeSpis === before.ikeSpis && sa.espSpis.join() === before.espSpis.join(),
    `swanctl --list-sas: ${end} ${sa?.[end]}, the same SPIs, IKE ${sa?.ikeSpis}, ESP ${sa?.espSpis.join(' and ')}`,
    sa?.text,
  )
  const states = await strongswan.xfrmStates()
  const seen = states.map(({ source, destination, spi, encap, ports }) => `${spi} ${source}→${destination} ${encap} ${ports}`).join('; ')
  const isMoved =
    states.length === 2 && states.every((state) => state.encap === 'espinudp' && [state.source, state.destination].includes(address))
  lab.expect(isMoved, `ip xfrm state: ${seen}`, seen)
}
