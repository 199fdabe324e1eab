"""HTTP by hand, for tests that must see every byte: builds requests as bytes, sends them as they
are, and reads one response at a time from a kept-alive connection. No library in between, because
what a well-behaved library would never send is what has to be tested."""

import json
import socket
import ssl
import time


class Response:
    """One response as it was read: status, headers (names in lower case), body."""

    def __init__(self, status, reason, headers, body):
        self.status = status
        self.reason = reason
        self.header_list = headers
        self.headers = dict(headers)
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "Response(%d, %r, %r)" % (self.status, self.headers, self.body[:300])


class Broken(Exception):
    """The connection ended, or went silent, in the middle of a response or before it."""


class Connection:
    """A TCP connection, or where the address is a path, one of a Unix socket. send() takes bytes
    as they are; read_response() reads one response. source: the address it comes from. With a
    context of ssl they travel by TLS, and the server's certificate is for 127.0.0.1."""

    def __init__(self, address, timeout=30.0, receive_buffer=None, tls=None, source=None):
        is_path = isinstance(address, str)
        family = socket.AF_UNIX if is_path else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        if source is not None:
            self.socket.bind((source, 0))
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        if not is_path:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, path, body=None, headers=(), **options):
        """Sends one request and reads its response."""
        self.send(build_request(method, path, body, headers, **options))
        return self.read_response(head=method == "HEAD")

    def _more(self):
        try:
            piece = self.socket.recv(262144)
        except socket.timeout as error:
            raise Broken("silence") from error
        except (ConnectionError, ssl.SSLError) as error:
            raise Broken(str(error)) from error
        if not piece:
            raise Broken("closed by the peer with %d bytes unread" % len(self.buffer))
        self.buffer += piece

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _exactly(self, count):
        pieces = [self.buffer[:count]]
        missing = count - len(pieces[0])
        self.buffer = self.buffer[count:]
        while missing > 0:
            self._more()
            pieces.append(self.buffer[:missing])
            self.buffer = self.buffer[missing:]
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def _chunks(self):
        body = b""
        while True:
            size = int(self._line().split(b";")[0], 16)
            if size == 0:
                while self._line():
                    pass
                return body
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise Broken("chunk without its end")

    def _until_close(self):
        try:
            while True:
                self._more()
        except Broken as error:
            if "closed" not in str(error):
                raise
        body, self.buffer = self.buffer, b""
        return body

    def read_response(self, head=False, interim=False):
        """One response; 100 Continue is skipped unless interim is asked for."""
        status_line = self._line().decode("latin-1")
        version, status, reason = (status_line.split(" ", 2) + [""])[:3]
        if not version.startswith("HTTP/1."):
            raise Broken("not a status line: %r" % status_line)
        headers = []
        while True:
            line = self._line().decode("latin-1")
            if not line:
                break
            name, value = line.split(":", 1)
            headers.append((name.strip().lower(), value.strip()))
        if status == "100":
            found = Response(100, reason, headers, b"")
            return found if interim else self.read_response(head)
        fields = dict(headers)
        if head or status in ("204", "304"):
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = self._chunks()
        elif "content-length" in fields:
            body = self._exactly(int(fields["content-length"]))
        else:
            body = self._until_close()
        return Response(int(status), reason, headers, body)

    def closed_within(self, seconds):
        """Whether the peer closes (or resets) the connection in that time, sending nothing."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except socket.timeout:
            return False
        except (ConnectionError, ssl.SSLError):
            return True

    def reset(self):
        """Closes with RST instead of FIN: the peer that died."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


def build_request(method, path, body=None, headers=(), chunks=None, version="1.1",
                  host="localhost"):
    """The bytes of a request. headers are (name, value) pairs and override nothing: what is given
    is sent, and a value of None says that the header is not. With chunks (a size, or a list of cut
    positions) the body goes out chunked."""
    lines = ["%s %s HTTP/%s" % (method, path, version)]
    if host is not None:
        lines.append("Host: %s" % host)
    names = {name.lower() for name, _ in headers}
    if body is not None and "content-type" not in names:
        lines.append("Content-Type: application/json")
    lines += ["%s: %s" % pair for pair in headers if pair[1] is not None]
    if body is not None and chunks is not None:
        lines.append("Transfer-Encoding: chunked")
        payload = chunked(body, chunks)
    else:
        payload = body or b""
        if body is not None and "content-length" not in names:
            lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + payload


def chunked(body, chunks):
    """body in chunked coding, cut every `chunks` bytes or at the positions in that list."""
    if isinstance(chunks, int):
        chunks = range(chunks, len(body), chunks)
    edges = [0] + [c for c in chunks if 0 < c < len(body)] + [len(body)]
    out = []
    for start, stop in zip(edges, edges[1:]):
        if stop > start:
            out.append(b"%x\r\n" % (stop - start) + body[start:stop] + b"\r\n")
    return b"".join(out) + b"0\r\n\r\n"


def send_slowly(connection, data, bytes_a_second, seconds):
    """Trickles data for at most that long; returns the seconds until the peer hung up, or None."""
    begin = time.monotonic()
    for offset in range(len(data)):
        if time.monotonic() - begin > seconds:
            return None
        try:
            connection.send(data[offset:offset + 1])
        except ConnectionError:
            return time.monotonic() - begin
        if connection.closed_within(1.0 / bytes_a_second):
            return time.monotonic() - begin
    return None
