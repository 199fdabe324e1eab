"""Standard error as the daemon may find it: a pipe or a socket that nobody reads, and one that is
closed. Lines may be lost, and are counted; no request and no signal may be. And a terminal, where
they are words for people."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from support import DAEMON, Case, Connection, body_of, make_request, patience

REQUESTS = 600
BODY = body_of(make_request(1, 2, 3))


def listening(pid):
    """The ports of 127.0.0.1 that the process listens on, in the order of its descriptors."""
    inodes = {}
    with open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            fields = line.split()
            if fields[3] == "0A":
                inodes["socket:[%s]" % fields[9]] = int(fields[1].split(":")[1], 16)
    found = []
    for name in sorted(os.listdir("/proc/%d/fd" % pid), key=int):
        try:
            found.append(inodes.get(os.readlink("/proc/%d/fd/%s" % (pid, name))))
        except FileNotFoundError:
            pass
    return [port for port in found if port]


class Unread(Case):
    """Daemons whose log is not read while they work."""

    def start(self, stderr):
        process = subprocess.Popen(
            [DAEMON, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
             "--core-dumps", "on"],  # or its descriptors may be hidden from us
            stderr=stderr,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")})
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        deadline = time.monotonic() + patience(20)
        while len(listening(process.pid)) < 2:
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        return process, [("127.0.0.1", port) for port in listening(process.pid)]

    def work(self, address):
        with Connection(address, timeout=patience(10)) as connection:
            for _ in range(REQUESTS):
                self.assertEqual(connection.request("POST", "/v1/gradients", BODY).status, 200)

    def lost_lines(self, address):
        with Connection(address, timeout=patience(10)) as connection:
            page = connection.request("GET", "/metrics").body.decode()
        return int(re.search(r"^gradientd_log_lines_lost_total (\d+)$", page, re.M).group(1))

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(patience(10)), 0)

    def assert_survives(self, read_end, write_end):
        """Works, counts what was lost, and ends; what was kept are whole lines."""
        process, (service, admin) = self.start(write_end)
        try:
            self.work(service)
            lost = self.lost_lines(admin)
            self.assertTrue(0 < lost < REQUESTS, lost)
            self.end(process)
        finally:
            os.close(write_end)
        kept = b""
        while True:
            piece = os.read(read_end, 65536)
            if not piece:
                break
            kept += piece
        os.close(read_end)
        for line in kept.splitlines(keepends=True):
            self.assertRegex(line, rb"^\{.*\}\n$")

    def test_a_pipe(self):
        read_end, write_end = os.pipe()
        self.assert_survives(read_end, write_end)

    def test_the_pipe_of_whoever_started_it_still_blocks(self):
        read_end, write_end = os.pipe()
        process, _ = self.start(write_end)
        self.assertEqual(fcntl.fcntl(write_end, fcntl.F_GETFL) & os.O_NONBLOCK, 0)
        self.end(process)
        os.close(read_end)
        os.close(write_end)

    def test_a_socket(self):
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        self.assert_survives(ours.detach(), theirs.detach())

    def test_a_pipe_that_nobody_reads_at_first(self):
        """It cannot be opened anew without a reader, and is written to as it is."""
        read_end, write_end = os.pipe()
        os.close(read_end)
        process, (service, admin) = self.start(write_end)
        lost = self.lost_lines(admin)
        self.assertGreater(lost, 0)
        read_end = os.open("/proc/self/fd/%d" % write_end, os.O_RDONLY)
        self.work(service)
        self.assertTrue(lost < self.lost_lines(admin) < lost + REQUESTS)
        self.end(process)
        os.close(read_end)
        os.close(write_end)


class Shown:
    """A daemon whose standard error is a terminal, or a pipe, and what it shows."""

    def __init__(self, *flags, terminal=True):
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self.process = subprocess.Popen(
            [DAEMON, "--listen", "127.0.0.1:0", "--admin-listen", "none", *flags], stderr=theirs,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")})
        os.close(theirs)
        self.ours = ours
        self.text = ""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                piece = os.read(self.ours, 65536)
            except OSError:  # nobody at the other end of the terminal
                return
            if not piece:
                return
            self.text += piece.decode("latin-1").replace("\r\n", "\n")

    def wait_for(self, pattern):
        deadline = time.monotonic() + patience(20)
        while not re.search(pattern, self.text, re.M):
            if time.monotonic() > deadline:
                raise AssertionError("no %r in:\n%s" % (pattern, self.text))
            time.sleep(0.01)
        return re.search(pattern, self.text, re.M)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(patience(20))
        self.reader.join(patience(5))
        os.close(self.ours)


CLOCK = r"^\d\d:\d\d:\d\d "


class People(Case):
    """What is shown on a terminal."""

    def connect(self, shown):
        line = shown.wait_for(CLOCK + r"gradientd \S+ serves http://127\.0\.0\.1:(\d+)$")
        port = int(line.group(1))
        return Connection(("127.0.0.1", port), timeout=patience(10))

    def test_a_line_a_request(self):
        with Shown() as shown, self.connect(shown) as connection:
            warnings = 1 if os.geteuid() == 0 else 0
            self.assertEqual(shown.text.count("\n"), 1 + warnings, shown.text)
            self.assertEqual(connection.request("POST", "/v1/gradients", BODY).status, 200)
            shown.wait_for(CLOCK + r"POST /v1/gradients 200, \d+\.\d\d ms$")
            connection.request("POST", "/v1/gradients", b"{}")
            shown.wait_for(CLOCK + r"POST /v1/gradients 422 missing_field, \d+\.\d\d ms$")
            connection.request("GET", "/livez")
            connection.send(b"POST /v1/gradients HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            connection.close()
            shown.wait_for(CLOCK + r"POST /v1/gradients no answer: connection_lost, \d+\.\d\d ms$")
            shown.process.send_signal(signal.SIGUSR2)
            shown.wait_for(CLOCK + r"warning: signal ignored signal=SIGUSR2$")
            self.assertEqual(shown.text.count("\n"), 5 + warnings, shown.text)
            self.assertNotIn("{", shown.text)

    def test_nothing_steers_the_terminal(self):
        with Shown() as shown, self.connect(shown) as connection:
            connection.send(b"GET /\x1b[31m\xc2\x9b1m\x7f\x07 HTTP/1.1\r\nHost: x\r\n\r\n")
            shown.wait_for(CLOCK + "GET|slow_header|connection_lost")
            self.assertNotRegex(shown.text, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def test_the_form_is_an_option(self):
        with Shown("--log-format", "json") as shown:
            line = json.loads(shown.wait_for(r'^\{.*"message":"listening".*$').group(0))
            self.assertEqual(line["role"], "service")
        with Shown("--log-format", "text", terminal=False) as shown, self.connect(shown):
            pass
        with Shown(terminal=False) as shown:
            shown.wait_for(r'^\{.*"message":"started".*\}$')
        self.assertRegex(shown.text, r'^(\{.*\}\n)+$')

    def test_the_form_changes_at_a_reload(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            with Shown("--config", file.name) as shown, self.connect(shown):
                file.write("log-format = json\n")
                file.flush()
                shown.process.send_signal(signal.SIGHUP)
                shown.wait_for(CLOCK + "option changed option=log-format from=auto to=json ")
                shown.wait_for(r'^\{.*"message":"reloaded","changed":1,"need_restart":0\}$')

    def test_why_it_cannot_start(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            with Shown("--listen", address) as shown:
                shown.wait_for(CLOCK + "error: cannot start: cannot listen on %s: Address already "
                               "in use$" % re.escape(address))


if __name__ == "__main__":
    unittest.main()
