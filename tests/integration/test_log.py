"""Standard error as the daemon may find it: a pipe or a socket that nobody reads, and one that is
closed. Lines may be lost, and are counted; no request and no signal may be."""

import fcntl
import os
import re
import signal
import socket
import subprocess
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
            [DAEMON, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], stderr=stderr,
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


if __name__ == "__main__":
    unittest.main()
