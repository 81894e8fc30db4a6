#!/bin/bash
# strongswan-run.sh NETNS ROOT LABDIR charon            strongSwan's IKE daemon in NETNS, in the foreground; SIGTERM stops it
# strongswan-run.sh NETNS ROOT LABDIR swanctl ARG...    talks to it: --load-all, --list-sas, --initiate --child NAME, …
#
# ROOT is what strongswan-unpack.sh made. It is laid over /usr in a mount namespace of this process alone, so the machine's
# own /usr is untouched. ESP is done by charon itself (kernel-libipsec, TUN device ipsec0), which speaks ESP in UDP only:
# every connection needs `encap = yes`. Configuration: LABDIR/swanctl/swanctl.conf. Log: LABDIR/charon.log.
set -euo pipefail
netns=$1 root=$(cd "$2" && pwd) lab=$(mkdir -p "$3" && cd "$3" && pwd) what=$4; shift 4

if [ "$what" = charon ]; then
  for folder in conf.d x509 x509ca private rsa ecdsa pkcs8; do mkdir -p "$lab/swanctl/$folder"; done
  # kernel-libipsec is loaded before kernel-netlink, or the SAs would go to a kernel that may have no IPsec.
  # The mark keeps charon's own datagrams out of the routing table (220) that leads into ipsec0.
  cat > "$lab/strongswan.conf" <<CONF
charon {
  load = random nonce openssl aes sha1 sha2 hmac kdf gcm ctr curve25519 pem pkcs1 pkcs8 x509 pubkey constraints revocation vici kernel-libipsec kernel-netlink socket-default eap-identity eap-md5 eap-mschapv2 eap-tls attr updown counters
  retransmit_tries = 3
  fragment_size = ${FRAGMENT_SIZE:-1280}
  plugins {
    vici {
      socket = unix://$lab/charon.vici
    }
    kernel-libipsec {
      allow_peer_ts = yes
    }
    kernel-netlink {
      fwmark = !0x42
    }
    socket-default {
      fwmark = 0x42
    }
  }
  filelog {
    lab {
      path = $lab/charon.log
      time_format = %H:%M:%S
      flush_line = yes
      default = 1
    }
  }
}
CONF
fi

export STRONGSWAN_CONF=$lab/strongswan.conf SWANCTL_DIR=$lab/swanctl
layer='mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && mount -t tmpfs tmpfs /run && exec "$@"'
case $what in
  charon) exec ip netns exec "$netns" unshare --mount bash -c "$layer" "$root" /usr/lib/ipsec/charon ;;
  swanctl)
    # after the sub-command, before its arguments: swanctl takes --uri with each of them
    sub=$1; shift
    exec ip netns exec "$netns" unshare --mount bash -c "$layer" "$root" /usr/sbin/swanctl "$sub" --uri "unix://$lab/charon.vici" "$@" ;;
  *) echo "usage: $0 NETNS ROOT LABDIR charon|swanctl …" >&2; exit 64 ;;
esac
