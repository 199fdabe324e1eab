#!/bin/sh
# Makes a folder with what a program of another processor is linked with, and runs on under qemu:
# this Debian's own packages for it, downloaded by apt-get and unpacked. Needs no root, and leaves
# the machine's own packages and architectures as they are.
#
#   tests/emulated/sysroot.sh ARCHITECTURE DIR      arm64, s390x; nothing where DIR is complete
set -eu

[ $# = 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
architecture=$1
case $architecture in
arm64) triplet=aarch64-linux-gnu ;;
*) triplet=$architecture-linux-gnu ;;
esac
mkdir -p "$2"
root=$(cd "$2" && pwd)
[ ! -e "$root/complete" ] || exit 0
echo "sysroot: unpacking Debian's packages for $architecture in $2"

# apt-get with a state of its own: no package is installed there, so all that is needed comes.
apt="$root/apt"
rm -rf "${root:?}/usr" "$apt"
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/parts" "$root/usr/lib"
: >"$apt/status"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
[ ! -f "$keyring" ] || signed="[signed-by=$keyring] "
# shellcheck disable=SC2016 # apt-get expands it
apt-get indextargets --format "deb $signed"'$(REPO_URI) $(RELEASE) main' \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main' |
    sort -u >"$apt/sources"
cat >"$apt/conf" <<CONF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Install-Recommends "false";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources";
Dir::Etc::sourceparts "$apt/parts";
Debug::NoLocking "true";
APT::Sandbox::User "";
CONF
APT_CONFIG="$apt/conf" apt-get update -qq
APT_CONFIG="$apt/conf" apt-get install -qq --download-only libc6-dev libmicrohttpd-dev \
    libgnutls28-dev libjansson-dev libseccomp-dev libcurl4-gnutls-dev libopenblas-pthread-dev \
    libcmocka-dev zlib1g-dev libzstd-dev

ln -sfn usr/lib "$root/lib"
for package in "$apt"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -C "$root" -x --keep-directory-symlink \
        --no-same-owner --wildcards './lib*' './usr/lib*' './usr/include*' 2>/dev/null || true
done

# What update-alternatives would link.
for link in "lib/$triplet/libopenblas.so.0" "lib/$triplet/libopenblas.so" \
    "include/$triplet/cblas.h" "include/$triplet/openblas_config.h"; do
    ln -sf "openblas-pthread/${link##*/}" "$root/usr/$link"
done
ln -sf ../openblas-pthread/pkgconfig/openblas.pc "$root/usr/lib/$triplet/pkgconfig/"
# An absolute link would lead out of here: to nothing, after which the linker takes libm.a.
find "$root/usr" -type l -lname '/*' | while read -r link; do
    ln -sfn "$root$(readlink "$link")" "$link"
done
rm -rf "$apt"
: >"$root/complete"
