#!/bin/sh
# Python's http.client: a POST that ends in a broken pipe still has its answer, for getresponse()
# Version: Python 3.11.7, 3.13.5 and 3.14.8 (the standard library; Linux).
# Guessed: after BrokenPipeError or ConnectionResetError the connection is of no use.
# Seen: a server (or proxy: Caddy 2.6) that refuses an upload early and closes resets who still
# sends, and request() raises. The 413 came before the reset and waits in the socket: getresponse()
# on the same HTTPConnection returns it, in 5 of 5. Whoever lets the exception pass sees no 413 at
# all, and tries again with what can never be taken.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

command -v python3 >/dev/null || skip "python3 is not installed"
cat >run.py <<'PYTHON'
import http.client
import socket
import threading

ANSWER = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nwhy"


def refuse(listener):
    peer, _ = listener.accept()
    with peer:
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(4096)
        peer.sendall(ANSWER)


for _ in range(5):
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=refuse, args=(listener,), daemon=True).start()
    client = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=20)
    try:
        client.request("POST", "/", b" " * 50_000_000)
        print("sent")
    except (BrokenPipeError, ConnectionResetError):
        response = client.getresponse()
        print("broken, then", response.status, response.read().decode())
PYTHON
seen=$(python3 run.py | sort | uniq -c | sed 's/^ *//')
verdict '5 broken, then 413 why' "$seen" \
    "$(python3 --version): request() raises, getresponse() has the 413"
