#!/bin/bash
# libreswan-vm.sh NETNS LABDIR: Libreswan on a kernel with ESP in TCP (CONFIG_INET_ESPINTCP), in a qemu guest joined to NETNS.
#
# LABDIR holds ipsec.conf and ipsec.secrets, and optionally nss/ (made by `ipsec initnss`; slow inside the guest). The guest's
# root is this machine's own file system, read-only over 9p, so it runs the libreswan, ip, nc and ping installed here.
# Two links:  tap0    the wire under test      host $HOST_ADDRESS (10.99.0.1/24)  guest $GUEST_ADDRESS (10.99.0.2/24)
#             tapctl  the lab's own, a shell    host 192.0.2.1/30                  guest 192.0.2.2, port 2323
# $GUEST_INNER (10.2.0.1/24) is on the guest's lo. Runs in the foreground. LABDIR/console.log says "GUEST READY" after about
# ten seconds and then follows pluto's log. A command in the guest:
#   ip netns exec NETNS sh -c 'printf "ip -s xfrm state\nexit\n" | nc -N 192.0.2.2 2323'
# With $STRONGSWAN_ROOT, what strongswan-unpack.sh made, the guest runs strongSwan's charon instead, with the kernel's IPsec: LABDIR then holds
# strongswan.conf and swanctl/, and the log is charon's.
# Kernel: $ESPINTCP_KERNEL, else ../shared/interop/espintcp/bzImage beside the repository, else the one build-kernel.sh made.
set -euo pipefail
netns=$1 lab=$(cd "$2" && pwd) here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
kernel=${ESPINTCP_KERNEL:-}
for candidate in "$repository/../shared/interop/espintcp/bzImage" "${UNDERPASS_CACHE:-$repository/.underpass}/espintcp/bzImage"; do
  if [ -z "$kernel" ] && [ -r "$candidate" ]; then kernel=$candidate; fi
done
if [ -z "$kernel" ]; then echo "no kernel with ESP in TCP: run interop/peers/build-kernel.sh, or set ESPINTCP_KERNEL" >&2; exit 1; fi

tap() { # name address
  ip netns exec "$netns" ip tuntap add "$1" mode tap vnet_hdr
  ip -n "$netns" addr add "$2" dev "$1"
  ip -n "$netns" link set "$1" up
}
host_address=${HOST_ADDRESS:-10.99.0.1/24}
tap tap0 "$host_address"
tap tapctl 192.0.2.1/30

guest="lab=$lab addr=${GUEST_ADDRESS:-10.99.0.2/24} gw=${host_address%/*} inner=${GUEST_INNER:-10.2.0.1/24} ctl=192.0.2.2/30 ${STRONGSWAN_ROOT:+strongswan=$STRONGSWAN_ROOT}"
exec ip netns exec "$netns" qemu-system-x86_64 -accel "${QEMU_ACCEL:-tcg}" -cpu max -m 512 -no-reboot -display none -monitor none \
  -serial "file:$lab/console.log" -kernel "$kernel" \
  -append "console=ttyS0 quiet panic=1 ro root=host rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=524288,cache=loose init=$here/guest-init.sh $guest" \
  -virtfs local,path=/,mount_tag=host,security_model=passthrough,readonly=on,multidevs=remap \
  -netdev tap,id=wire,ifname=tap0,script=no,downscript=no -device virtio-net-pci,netdev=wire,romfile=,addr=0x10 \
  -netdev tap,id=ctl,ifname=tapctl,script=no,downscript=no -device virtio-net-pci,netdev=ctl,romfile=,addr=0x11
