#!/bin/bash
# build-kernel.sh [DIR]: the guest's kernel, DIR/bzImage (default .underpass/espintcp in the repository's root): Debian's
# linux-source-6.1, as small as `tinyconfig`, plus kernel.config beside this file. No kernel of Debian's has
# CONFIG_INET_ESPINTCP. About two minutes on two idle cores.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-${UNDERPASS_CACHE:-$here/../../.underpass}/espintcp}
mkdir -p "$out"; out=$(cd "$out" && pwd)
if [ -f "$out/bzImage" ]; then echo "$out/bzImage is there already"; exit 0; fi

needed=(linux-source-6.1 build-essential flex bison bc libelf-dev libssl-dev xz-utils)
missing=()
for package in "${needed[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; fi

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
tar -C "$work" -xf /usr/src/linux-source-6.1.tar.xz --strip-components=1
cd "$work"
make -s tinyconfig
scripts/kconfig/merge_config.sh -m .config "$here/kernel.config" > /dev/null
make -s olddefconfig
# What was asked for and did not survive (a dependency is missing) would only show as a guest that fails later.
while read -r line; do
  grep -qxF "$line" .config || { echo "kernel.config: $line did not hold" >&2; exit 1; }
done < <(grep '^CONFIG_.*=[ym]$' "$here/kernel.config")
make -s -j"$(nproc)" bzImage
cp arch/x86/boot/bzImage "$out/bzImage"
echo "$out/bzImage"
