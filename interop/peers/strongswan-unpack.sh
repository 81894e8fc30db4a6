#!/bin/bash
# strongswan-unpack.sh DIR: Debian's strongSwan in DIR/root, without installing it (it conflicts with libreswan).
# Does nothing when it is there already.
set -euo pipefail
mkdir -p "$1"; dir=$(cd "$1" && pwd)
if [ -x "$dir/root/usr/lib/ipsec/charon" ] && [ -x "$dir/root/usr/sbin/swanctl" ]; then exit 0; fi
packages=(strongswan-charon strongswan-libcharon strongswan-swanctl strongswan-pki
  libstrongswan libstrongswan-standard-plugins libstrongswan-extra-plugins libcharon-extra-plugins libcharon-extauth-plugins)
mkdir -p "$dir/debs"; cd "$dir/debs"
apt-get -q download "${packages[@]}" || { apt-get -q update; apt-get -q download "${packages[@]}"; }
for deb in ./*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
missing=$(LD_LIBRARY_PATH="$dir/root/usr/lib/ipsec" ldd "$dir"/root/usr/lib/ipsec/{charon,libipsec.so.0,libtls.so.0} "$dir/root/usr/sbin/swanctl" | grep 'not found' | sort -u || true)
if [ -n "$missing" ]; then echo "strongSwan needs libraries this machine lacks: $missing" >&2; exit 1; fi
