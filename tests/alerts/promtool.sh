#!/bin/sh
# Prints the path of a promtool: the machine's, or Debian's, unpacked from the package prometheus
# into build/cache without installing it, as its installation would start a server.
set -eu
cache=$(cd "$(dirname "$0")/../.." && pwd)/build/cache/prometheus

if command -v promtool; then
    exit 0
fi
if [ ! -x "$cache/usr/bin/promtool" ]; then
    mkdir -p "$cache"
    cd "$cache"
    apt-get download -qq -o APT::Sandbox::User=root prometheus >&2
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
    rm -f prometheus_*.deb
fi
echo "$cache/usr/bin/promtool"
