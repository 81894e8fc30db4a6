#!/bin/bash
# install.sh: what a Debian 12 machine needs for `npm run bench` to have everybody to compare with. Run as root.
#
# 1. The packages of apt-packages.txt that are missing. ocserv's and openvpn's services are not started, and stopped from
#    starting at boot: the benchmark runs the programs itself, in namespaces of its own.
# 2. strongSwan, unpacked and not installed (interop/peers/strongswan-unpack.sh), into $UNDERPASS_CACHE (default .underpass
#    in the repository's root, which git ignores).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${UNDERPASS_CACHE:-$here/../.underpass}
export DEBIAN_FRONTEND=noninteractive

missing=()
while read -r package; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done < <(grep -v '^#' "$here/apt-packages.txt")
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get update -q
  for service in ocserv openvpn; do
    case " ${missing[*]} " in *" $service "*) ln -sf /dev/null "/etc/systemd/system/$service.service" ;; esac
  done
  apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

"$here/../interop/peers/strongswan-unpack.sh" "$cache/strongswan"
