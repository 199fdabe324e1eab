#!/bin/sh
# make demo and make test on machines with nothing installed: a fresh Debian root for each suite,
# made by debootstrap, entered by chroot, with a clean checkout in it. As root; minutes a suite.
# What lives here is the machine; what is run on it are the README's two commands.
#
#   tests/container/fresh_root.sh [--keep] SUITE...       bookworm, trixie, testing
#   FRESH_ONLY=WORD  instead of both, the tests of the plain tree whose name holds that word:
#                    odd_requests, say, whose outcomes differ between versions of libmicrohttpd
#   FRESH_BASE=DIR   holds DIR/SUITE.tar, made at the first run, to save the debootstrap later
set -eu

repository=$(cd "$(dirname "$0")/../.." && pwd)
base=${FRESH_BASE:-$repository/build/cache}
keep=
if [ "${1-}" = --keep ]; then
    keep=yes
    shift
fi
[ $# -gt 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "fresh_root: chroot needs root" >&2; exit 1; }

# shellcheck disable=SC2016 # apt-get expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    'Label: Debian' | head -n 1)

root=
leave() {
    [ -n "$root" ] || return 0
    for mounted in dev/pts dev/shm dev proc; do
        if mountpoint -q "$root/$mounted"; then
            umount "$root/$mounted"
        fi
    done
    if [ -z "$keep" ]; then
        rm -rf --one-file-system "$root"
    else
        echo "fresh_root: kept $root"
    fi
    root=
}
trap leave EXIT
trap 'exit 1' INT TERM

# Unpacks a new root for that suite and mounts what programs expect.
make_root() {
    if [ ! -f "$base/$1.tar" ]; then
        mkdir -p "$base"
        fresh=$(mktemp -d "/var/tmp/$1-XXXXXX")
        # Older than the suite, debootstrap has no script of its name: sid's is the newest it has.
        script=
        [ -e "/usr/share/debootstrap/scripts/$1" ] || script=/usr/share/debootstrap/scripts/sid
        debootstrap --variant=minbase "$1" "$fresh" "$mirror" $script >/dev/null
        tar -C "$fresh" -cf "$base/$1.tar.new" .
        mv "$base/$1.tar.new" "$base/$1.tar"
        rm -rf --one-file-system "$fresh"
    fi
    root=$(mktemp -d "/var/tmp/$1-XXXXXX")
    tar -C "$root" -xf "$base/$1.tar"
    chmod 755 "$root"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    # What is mounted below it stays here.
    mount --make-private "$root/dev"
    mount --bind /dev/pts "$root/dev/pts"
    mount -t tmpfs tmpfs "$root/dev/shm"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    # As an installer leaves it: debootstrap does not, and without it nobody knows localhost.
    printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
    # A mirror's copy of testing may be older than its Release file says it may be used.
    if [ "$1" = testing ]; then
        echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/00-any-age"
    fi
}

# What is committed, and nothing else: a clean checkout without its history.
checkout() {
    mkdir -p "$root/src"
    git -C "$repository" archive HEAD | tar -C "$root/src" -x
}

# Runs a command inside, as a user would in a new terminal without a keyboard, and counts it.
inside() {
    started=$(date +%s)
    echo "== $suite: $*"
    if chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        sh -c "cd /src && exec \"\$@\"" inside "$@" </dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    echo "== $suite: $* took $(($(date +%s) - started)) s; so far $passed passed, $failed failed"
}

passed=0
failed=0
for suite in "$@"; do
    make_root "$suite"
    checkout
    # All that is missing before the README's commands can be typed.
    chroot "$root" sh -c 'apt-get update -qq && apt-get install -qq --no-install-recommends make' \
        </dev/null >/dev/null
    if [ -n "${FRESH_ONLY-}" ]; then
        inside make packages-test suite-build
        inside python3 tests/run.py --only "$FRESH_ONLY" build
    else
        inside make demo
        inside make test
    fi
    leave
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
