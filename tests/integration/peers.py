"""Peers that misbehave: small servers on real sockets whose every answer is scripted, byte by byte,
and a runner of the command line `gradient`. What lives here is what a client may meet; what it must
do about it is said in test_client*.py."""

import collections
import os
import socket
import struct
import subprocess
import threading
import time

from support import BUILD, patience

GRADIENT = os.path.join(BUILD, "gradient")

DOCUMENT = (b'{"layers":[{"activation":"tanh","input":[2,4],"pre_activation":[0],'
            b'"grad_output":[1]}]}')
ANSWER = b'{"layers":[{"weight_delta":[[2,4]],"bias_delta":[1]}]}'

Request = collections.namedtuple("Request", "line headers body time")
Result = collections.namedtuple("Result", "code out err seconds")


def clean_environment(**more):
    """The environment without what would change the client's ways."""
    unwanted = ("GRADIENT_URL", "GRADIENT_TOKEN", "GRADIENT_TOKEN_FILE", "NO_COLOR",
                "HTTP_PROXY", "ALL_PROXY")
    kept = {k: v for k, v in os.environ.items() if k.upper() not in unwanted}
    return {**kept, **more}


def gradient(*arguments, stdin=b"", environment=None, **options):
    """Runs the command line to its end."""
    options.setdefault("stdout", subprocess.PIPE)
    begin = time.monotonic()
    done = subprocess.run([GRADIENT, *arguments], input=stdin, stderr=subprocess.PIPE,
                          env=clean_environment(**(environment or {})), timeout=patience(60),
                          **options)
    return Result(done.returncode, done.stdout, done.stderr.decode(), time.monotonic() - begin)


def http(status, body=b"", *headers, kind="application/json", length=True):
    """The bytes of an answer."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Type: {kind}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answers(status, body=b"", *headers, **options):
    """A step: reads the request, answers, keeps the connection."""
    return lambda peer: peer.read_request() and peer.send(http(status, body, *headers, **options))


def sends(data):
    """A step: reads the request, sends these bytes, closes."""
    return lambda peer: peer.read_request() and peer.send(data) and False


def resets(peer):
    """A step: reads the request and breaks the connection with RST."""
    peer.read_request()
    peer.reset()
    return False


def closes(peer):
    """A step: reads the request and closes without a word."""
    peer.read_request()
    return False


def sleeps(peer):
    """A step: reads the request and says nothing until the client goes."""
    peer.read_request()
    peer.wait_for_client()
    return False


def trickles(peer):
    """A step: a right answer, one byte each tenth of a second."""
    peer.read_request()
    for byte in http(200, ANSWER):
        if not peer.send(bytes([byte])):
            break
        time.sleep(0.1)
    return False


class Peer:
    """A server that takes one step a request: the first request the first step, and so on, the last
    step for ever. A step that returns False ends its connection. Use as a context manager."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.requests = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.open = set()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for connection in self.open:
                connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            talk = Talk(self, connection)
            with self.lock:
                self.connections += 1
                self.open.add(talk)
            threading.Thread(target=talk.serve, daemon=True).start()

    def next_step(self):
        with self.lock:
            return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]

    def run(self, *arguments, stdin=DOCUMENT, **options):
        """`gradient compute -` to this peer."""
        return gradient("compute", "-", "--url", self.url, *arguments, stdin=stdin, **options)


class Talk:
    """One connection of a peer."""

    def __init__(self, peer, connection):
        self.peer = peer
        self.socket = connection
        self.file = connection.makefile("rb")

    def serve(self):
        try:
            while self.peer.next_step()(self):
                pass
        except (OSError, ValueError, EOFError):
            pass
        finally:
            self.close()

    def read_head(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError
            line = line.decode().strip()
            if not line:
                break
            lines.append(line)
        headers = dict(part.split(": ", 1) for part in lines[1:])
        return lines[0], {name.lower(): value for name, value in headers.items()}

    def read_request(self):
        line, headers = self.read_head()
        if headers.get("expect") == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.file.read(int(headers.get("content-length", 0)))
        self.peer.requests.append(Request(line, headers, body, time.monotonic()))
        return True

    def send(self, data):
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def wait_for_client(self):
        self.socket.settimeout(patience(30))
        self.socket.recv(1)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self):
        self.file.close()
        self.socket.close()

