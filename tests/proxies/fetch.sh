#!/bin/sh
# Brings the proxies and Node to build/proxies without installing them: Debian would start each as
# a service. What is installed already is not fetched, and used from where it is.
set -eu

cd "$(dirname "$0")/../.."
root=${GRADIENTD_PROXIES:-build/proxies}
mkdir -p "$root/archives/partial"

command -v apt-get >/dev/null || {
    echo "fetch: apt-get is not here; install haproxy, nginx, apache2, caddy and nodejs" >&2
    exit 1
}
apt-get install --download-only --yes -qq --no-install-recommends \
    -o Dir::Cache::archives="$PWD/$root/archives" -o Debug::NoLocking=1 \
    haproxy nginx apache2-bin caddy nodejs >/dev/null
for package in "$root"/archives/*.deb; do
    if [ -e "$package" ] && [ ! -e "$package.unpacked" ]; then
        dpkg-deb --extract "$package" "$root"
        touch "$package.unpacked"
    fi
done
