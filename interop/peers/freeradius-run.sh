#!/bin/bash
# freeradius-run.sh NETNS ROOT LABDIR    FreeRADIUS in NETNS, in the foreground, all that it does on its output; SIGTERM stops it
#
# ROOT is what freeradius-unpack.sh made. Configuration: LABDIR/radiusd.conf.
set -euo pipefail
netns=$1 root=$(cd "$2" && pwd) lab=$(cd "$3" && pwd)
export LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu:$root/usr/lib/freeradius
exec ip netns exec "$netns" "$root/usr/sbin/freeradius" -X -d "$lab" -D "$root/usr/share/freeradius"
