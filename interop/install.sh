#!/bin/bash
# install.sh: what a Debian 12 machine needs for `npm run interop`. Run as root.
#
# 1. The packages of apt-packages.txt that are missing.
# 2. strongSwan, unpacked and not installed, because its packages conflict with libreswan's: into
#    $UNDERPASS_CACHE (default .underpass in the repository's root, which git ignores).
#    FreeRADIUS likewise: installed, it would run.
# 3. With --kernel: the guest kernel, where none is at hand (peers/build-kernel.sh).
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
  apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

"$here/peers/strongswan-unpack.sh" "$cache/strongswan"
"$here/peers/freeradius-unpack.sh" "$cache/freeradius"
if [ "${1:-}" = --kernel ]; then "$here/peers/build-kernel.sh" "$cache/espintcp"; fi
