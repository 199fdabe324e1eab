#!/bin/sh
# Installs the Debian packages that a purpose needs, where they are missing, and says so first.
# What lives here is the list of packages, for Debian 12, 13 and testing; nothing else is installed
# or changed on the machine.
set -eu

usage() {
    cat <<'TEXT'
usage: deploy/packages.sh PURPOSE [--yes|--list], where PURPOSE is one of

  build   compile the libraries, the daemon and the client
  test    what build needs, and what `make test` and `make lint` need
  conformance
          what build needs, and PyTorch, which `make conformance` compares with
  arm64   what test needs, a compiler for arm64 and an emulator, for `make test-arm64`
  fuzz    what build needs, clang and its sanitizers, for `make fuzz`
  bench   what build needs, and the peers that `make bench` measures against
  instructions
          what build needs, and valgrind, for `make instructions`
  image   what `make image` and `make test-image` need

  --yes   do not ask (also when standard input is not a terminal)
  --list  print the packages of that purpose, install nothing

Needs root to install: uses sudo when run by another user.
TEXT
}

# a|b: either will do, the first is installed. a?, a|b?: only where this Debian has a.
# OpenBLAS must be the pthread flavour: the serial one gives wrong results when threads share it.
BUILD="gcc libc6-dev make pkgconf libmicrohttpd-dev libgnutls28-dev libjansson-dev libseccomp-dev
    zlib1g-dev libzstd-dev libcurl4-gnutls-dev|libcurl4-openssl-dev libopenblas-pthread-dev"
TEST="$BUILD python3 python3-torch curl openssl gnutls-bin iproute2 procps libcmocka-dev cppcheck
    universal-ctags pmccabe shellcheck clang-format-14?"
CONFORMANCE="$BUILD python3 python3-torch"
ARM64="$TEST gcc-aarch64-linux-gnu qemu-user|qemu-user-static"
FUZZ="$BUILD python3 clang libclang-rt-dev"
BENCH="$BUILD g++ python3 libcmocka-dev libsimdjson-dev libfmt-dev libdouble-conversion-dev wrk
    python3-torch python3-numpy python3-fastapi python3-ujson python3-msgpack python3-orjson?
    python3-zstandard uvicorn python3-uvloop python3-httptools iproute2"
INSTRUCTIONS="$BUILD python3 valgrind"
IMAGE="docker.io|docker-ce docker-cli|docker-ce-cli? docker-compose|docker-compose-plugin
    debootstrap ca-certificates make python3"

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# 0 where one of a|b is installed
satisfied() {
    for candidate in $(echo "${1%\?}" | tr '|' ' '); do
        if installed "$candidate"; then
            return 0
        fi
    done
    return 1
}

# a of a|b?
first_of() {
    first=${1%%|*}
    echo "${first%\?}"
}

available() {
    apt-cache policy "$1" | grep -q 'Candidate: [^(]'
}

missing_of() {
    for entry in "$@"; do
        satisfied "$entry" || echo "$entry"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "packages: there is no sudo here; as root, run: deploy/packages.sh $purpose" >&2
        exit 1
    fi
}

# The names to hand to apt-get: the first alternative, and the optional ones that exist here.
installable_of() {
    for entry in "$@"; do
        case $entry in
        *\?) if available "$(first_of "$entry")"; then first_of "$entry"; fi ;;
        *) first_of "$entry" ;;
        esac
    done
}

# Without the optional ones that do not exist here: those are no reason to call apt-get every time.
wanted_of() {
    for entry in "$@"; do
        case $entry in
        *\?) if available "$(first_of "$entry")"; then echo "$entry"; fi ;;
        *) echo "$entry" ;;
        esac
    done
}

# The flavour behind libopenblas.so.0 is chosen by alternatives: an installed serial one could win.
check_blas() {
    library=$(ldconfig -p 2>/dev/null | sed -n 's/.*libopenblas\.so\.0 .*=> //p' | head -n 1)
    case $(readlink -f "${library:-/}") in
    *openblas-serial*)
        echo "packages: $library is OpenBLAS's serial flavour, which is not safe with threads." >&2
        echo "packages: choose pthread: update-alternatives --config" \
            "libopenblas.so.0-$(gcc -print-multiarch)" >&2
        exit 1
        ;;
    esac
}

# One question, before apt-get is called; return is yes.
ask() {
    printf 'packages: install them with apt-get, and what they need? [Y/n] '
    read -r reply || reply=n
    case $reply in
    '' | y | Y | yes) ;;
    *)
        echo "packages: nothing was installed; deploy/packages.sh $purpose does it later" >&2
        exit 1
        ;;
    esac
}

# shellcheck disable=SC2046,SC2086 # lists of words
install_missing() {
    missing=$(missing_of "$@")
    if [ -z "$(wanted_of $missing)" ]; then
        return 0
    fi
    echo "packages: missing to $purpose:" $(for entry in $(wanted_of $missing); do
        first_of "$entry"
    done)
    [ -n "$answer" ] || ask
    echo "packages: apt-get installs them now; the first time takes a minute or more"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq \
        --no-install-recommends $(installable_of $missing) >/dev/null
    echo "packages: installed"
}

[ $# -ge 1 ] || { usage >&2; exit 2; }
purpose=$1
case $purpose in
build) list=$BUILD ;;
test) list=$TEST ;;
conformance) list=$CONFORMANCE ;;
arm64) list=$ARM64 ;;
fuzz) list=$FUZZ ;;
bench) list=$BENCH ;;
instructions) list=$INSTRUCTIONS ;;
image) list=$IMAGE ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

answer=
[ -t 0 ] || answer=-y
case ${2-} in
--yes) answer=-y ;;
--list) echo "$list" | xargs -n 1; exit 0 ;;
'') ;;
*) usage >&2; exit 2 ;;
esac

command -v apt-get >/dev/null || {
    echo "packages: apt-get is not here; install what stands for these yourself:" "$list" >&2
    exit 1
}
# shellcheck disable=SC2086 # a list of words
install_missing $list
[ "$purpose" = image ] || check_blas
