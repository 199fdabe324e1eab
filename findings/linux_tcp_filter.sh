#!/bin/sh
# Linux: a packet filter needs CAP_NET_ADMIN on a TCP socket by now, none on UDP and Unix ones
# Version: 6.18.44 (upstream commit 5d39580f68e6 of 2026, as gVisor's pull request 14478 names it).
# One would guess: SO_ATTACH_FILTER of a classic BPF program takes no privilege; socket(7) asks for
# none.
# Seen, without any capability: EPERM for a TCP socket of either family, in whatever state; success
# for UDP, Unix and netlink sockets. In a container of Docker, whose root lacks CAP_NET_ADMIN, it
# fails likewise. EPERM had one meaning until then: the filter is locked (SO_LOCK_FILTER).
# Who used such a filter to let a listener ignore new peers before it closes (so that none is reset
# in the queue) can raise IP_MINTTL or IPV6_MINHOPCOUNT instead, which take no capability.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

case $(uname -r) in
6.18.4[4-9]* | 6.18.[5-9][0-9]*) ;;
*) skip "the kernel is $(uname -r) here, the finding is about 6.18.44" ;;
esac
command -v setpriv >/dev/null || skip "setpriv is not installed"
[ "$(id -u)" = 0 ] || skip "only root can show both sides"
cat >attach.py <<'PY'
import ctypes
import errno
import socket
import struct

ACCEPT_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0xFFFFFFFF))
PROGRAM = struct.pack("HxxxxxxQ", 1, ctypes.addressof(ACCEPT_ALL))
SO_ATTACH_FILTER, IP_MINTTL = 26, 21


def outcome(one, level, option, value):
    try:
        one.setsockopt(level, option, value)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok"


for family, kind in (("INET", "STREAM"), ("INET6", "STREAM"), ("INET", "DGRAM"),
                     ("UNIX", "STREAM")):
    one = socket.socket(getattr(socket, "AF_" + family), getattr(socket, "SOCK_" + kind))
    print(family, kind, outcome(one, socket.SOL_SOCKET, SO_ATTACH_FILTER, PROGRAM))
print("IP_MINTTL", outcome(socket.socket(), socket.IPPROTO_IP, IP_MINTTL, 255))
PY
seen=$(/usr/bin/python3 attach.py
    echo without
    setpriv --bounding-set=-all --inh-caps=-all /usr/bin/python3 attach.py)
verdict 'INET STREAM ok
INET6 STREAM ok
INET DGRAM ok
UNIX STREAM ok
IP_MINTTL ok
without
INET STREAM EPERM
INET6 STREAM EPERM
INET DGRAM ok
UNIX STREAM ok
IP_MINTTL ok' "$seen" \
    'Linux 6.18.44: without CAP_NET_ADMIN a filter on TCP is EPERM, on UDP and Unix sockets ok'
