#!/bin/bash
# freeradius-unpack.sh DIR: Debian's FreeRADIUS in DIR/root, without installing it: it would run as a service of this machine.
# Does nothing when it is there already.
set -euo pipefail
mkdir -p "$1"; dir=$(cd "$1" && pwd)
if [ -x "$dir/root/usr/sbin/freeradius" ]; then exit 0; fi
packages=(freeradius freeradius-config freeradius-common libfreeradius3 libtalloc2 libct4 libperl5.36 libpcap0.8 libpcre3 libwbclient0)
mkdir -p "$dir/debs"; cd "$dir/debs"
apt-get -q download "${packages[@]}" || { apt-get -q update; apt-get -q download "${packages[@]}"; }
for deb in ./*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
libraries=$dir/root/lib/x86_64-linux-gnu:$dir/root/usr/lib/x86_64-linux-gnu:$dir/root/usr/lib/freeradius
missing=$(LD_LIBRARY_PATH="$libraries" ldd "$dir/root/usr/sbin/freeradius" "$dir"/root/usr/lib/freeradius/rlm_eap{,_mschapv2,_tls}.so "$dir"/root/usr/lib/freeradius/rlm_mschap.so | grep 'not found' | sort -u || true)
if [ -n "$missing" ]; then echo "FreeRADIUS needs libraries this machine lacks: $missing" >&2; exit 1; fi
