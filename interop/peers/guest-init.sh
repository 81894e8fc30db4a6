#!/bin/sh
# First process of the guest that libreswan-vm.sh starts. The root is read-only: what is written goes to tmpfs under /run.
# From the kernel's command line: lab, addr, gw, inner, ctl, strongswan (see libreswan-vm.sh).
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
[ -c /dev/null ] || mount -t devtmpfs devtmpfs /dev
read -r words < /proc/cmdline
for word in $words; do
  case $word in lab=*|addr=*|gw=*|inner=*|ctl=*|strongswan=*) export "$word" ;; esac
done

ip link set lo up
ip addr add "$inner" dev lo
ip addr add "$addr" dev eth0
ip link set eth0 up
# Inner addresses are routed to the wire, where the SPD takes them; without a route they would not get that far.
ip route add default via "$gw"
ip addr add "$ctl" dev eth1
ip link set eth1 up
echo 1 > /proc/sys/net/ipv4/ip_forward
for family in core/rmem_max core/wmem_max; do echo 8388608 > /proc/sys/net/$family 2>/dev/null; done

# What waits until the daemon says that it is there: a file and a pattern.
await() {
  tries=0
  until grep -q "$2" "$1" 2>/dev/null || [ $tries -gt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
}

run_pluto() {
  # Where pluto and its updown script may write (resolv.conf, when the guest is handed a DNS server).
  mkdir -p /run/lab/ipsec.d /run/lab/nss /run/pluto /run/resolvconf
  cp "$lab"/ipsec.conf "$lab"/ipsec.secrets /run/lab/
  if [ -d "$lab/nss" ]; then cp "$lab"/nss/* /run/lab/nss/; else ipsec initnss --nssdir /run/lab/nss > /dev/null 2>&1; fi
  log=/run/lab/pluto.log
  touch $log
  supervise_pluto &
  await $log 'listening for IKE messages'
}

# pluto 4.10 dies of some things that RFC 9329 allows; it is started again, and the log says so.
supervise_pluto() {
  while :; do
    ipsec pluto --nofork --config /run/lab/ipsec.conf --secretsfile /run/lab/ipsec.secrets --ipsecdir /run/lab/ipsec.d \
      --nssdir /run/lab/nss --rundir /run/pluto --logfile /run/lab/pluto.log --listen-tcp > /dev/null 2>&1
    echo "PLUTO ENDED with $?" >> /run/lab/pluto.log
    ip xfrm state flush
    ip xfrm policy flush
    rm -f /run/pluto/pluto.pid /run/pluto/pluto.ctl
  done
}

# charon with the kernel's IPsec. It is not installed (it conflicts with libreswan): its root is the machine's with its own files added.
run_charon() {
  root=/run/root
  mkdir -p $root/usr/lib $root/usr/sbin $root/var $root/host $root/proc $root/dev $root/run $root/tmp /run/lab
  mount --bind / $root/host
  for folder in proc dev run; do mount --bind /$folder $root/$folder; done
  (cd $root/usr/lib && ln -s ../../host/usr/lib/* "/host$strongswan/usr/lib/ipsec" .)
  ln -s "/host$strongswan/usr/sbin/swanctl" $root/usr/sbin/
  ln -s /host/usr/bin $root/usr/bin
  ln -s /run $root/var/run
  ln -s /host/etc /host/lib64 usr/bin usr/lib usr/sbin $root/
  cp -r "$lab/swanctl" "$lab/strongswan.conf" /run/lab/
  log=/run/lab/charon.log
  touch $log
  chroot $root /usr/bin/env STRONGSWAN_CONF=/run/lab/strongswan.conf /usr/lib/ipsec/charon > /run/lab/charon.out 2>&1 &
  await $log 'spawning .* worker threads'
}

if [ -n "${strongswan:-}" ]; then run_charon; else run_pluto; fi

# A root shell for the lab, one a connection. (This busybox cannot bind it to one address; the guest sees the lab's links only.)
busybox nc -ll -p 2323 -e /bin/sh 2> /dev/null &
sleep 0.3
echo "GUEST READY $(uname -r)"
exec tail -n +1 -F $log
