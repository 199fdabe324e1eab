"""More connections than there may be: of one peer, of all, on the admin listener, or than there are
descriptors. Whoever is refused is told, counted and logged, and a newcomer gets in."""

import contextlib
import json
import os
import resource
import socket
import subprocess
import time
import unittest

from support import DAEMON, Case, Daemon, build_request, patience

LIVEZ = build_request("GET", "/livez")


def connect(address, source="127.0.0.1"):
    connection = socket.create_connection(address, timeout=patience(10),
                                          source_address=(source, 0))
    connection.settimeout(patience(10))
    return connection


def ask(connection):
    """The status, and the code of a problem."""
    connection.sendall(LIVEZ)
    data = b""
    while b"\r\n\r\n" not in data or (b"HTTP/1.1 503" in data and b"}" not in data):
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    body = data.partition(b"\r\n\r\n")[2]
    return int(data[9:12]), json.loads(body).get("code") if body.startswith(b"{") else None


class Crowd(Case):
    """Connections that are kept open, and the daemon they are of."""

    def start(self, *flags, **options):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        return self.stack.enter_context(Daemon(*flags, **options))

    def open(self, count, address, source="127.0.0.1"):
        """So many, each asked once; the statuses and codes that came."""
        found = {}
        for _ in range(count):
            connection = self.stack.enter_context(connect(address, source))
            answer = ask(connection)
            found[answer] = found.get(answer, 0) + 1
        return found

    def refused(self, daemon, reason):
        return daemon.metrics().value("gradientd_rejections_total", reason=reason)


class Refused(Crowd):
    """Beyond max-connections."""

    def test_they_are_counted_and_logged(self):
        daemon = self.start("--max-connections", "4")
        began = time.monotonic()
        found = self.open(200, daemon.address)
        self.assertEqual(found, {(200, None): 4, (503, "too_many_connections"): 196})
        self.assertEqual(self.refused(daemon, "connections"), 196)
        self.assertEqual(daemon.metrics().value("gradientd_requests_total", route="other",
                                                status="503"), 196)
        deadline = time.monotonic() + patience(5)
        while sum(line["count"] for line in daemon.records(message="connections refused")) < 196:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        lines = daemon.records(message="connections refused")
        self.assertLessEqual(len(lines), 2 + time.monotonic() - began)
        self.assertEqual({line["reason"] for line in lines}, {"max-connections"})


class Peers(Crowd):
    """One address among others."""

    def test_a_newcomer_gets_in(self):
        daemon = self.start("--max-connections", "128")
        self.assertEqual(self.open(150, daemon.address, "127.0.0.2"),
                         {(200, None): 96, (503, "too_many_peer_connections"): 54})
        self.assertEqual(self.refused(daemon, "peer_connections"), 54)
        self.assertEqual(self.open(40, daemon.address, "127.0.0.3"),
                         {(200, None): 24, (503, "too_many_peer_connections"): 16})
        for newcomer in range(4, 9):
            self.assertEqual(self.open(1, daemon.address, "127.0.0.%d" % newcomer),
                             {(200, None): 1})

    def test_a_limit_of_its_own(self):
        daemon = self.start("--max-peer-connections", "10")
        for source in ("127.0.0.2", "127.0.0.3"):
            self.assertEqual(self.open(15, daemon.address, source),
                             {(200, None): 10, (503, "too_many_peer_connections"): 5})

    def test_those_that_close_make_room(self):
        daemon = self.start("--max-peer-connections", "3")
        for _ in range(10):
            held = [connect(daemon.address) for _ in range(3)]
            self.assertEqual([ask(c)[0] for c in held], [200] * 3)
            for connection in held:
                connection.close()
            daemon.wait_metric(lambda v: v == 0, patience(5), "gradientd_connections")


class Admin(Crowd):
    """The listener that watches over the daemon."""

    def test_idle_connections_give_way(self):
        daemon = self.start()
        for kind in (b"", LIVEZ[:20], LIVEZ):
            for _ in range(300):
                connection = self.stack.enter_context(connect(daemon.admin))
                with contextlib.suppress(ConnectionError):
                    connection.sendall(kind)
            for _ in range(10):
                began = time.monotonic()
                with connect(daemon.admin) as connection:
                    self.assertEqual(ask(connection)[0], 200)
                self.assertLess(time.monotonic() - began, patience(1))


class Descriptors(Crowd):
    """Fewer descriptors than connections."""

    @staticmethod
    def limit(descriptors):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    def test_the_default_is_lowered_to_them(self):
        daemon = self.start("--event-loops", "1", prepare=self.limit(256))
        most = 256 - 65 - 33 - 64 - 4  # the admin listener's, lingering ones, others, a loop's
        line = daemon.wait_log(patience(5), level="warning", descriptors=256)
        self.assertEqual((line["from"], line["to"]), (4096, most))
        self.assertEqual(daemon.get("/v1/info").json()["limits"]["max_connections"], most)
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("process_max_fds"), 256)
        self.assertLess(metrics.value("process_open_fds"), 64)
        found = {}
        for source in range(2, 12):
            for answer, count in self.open(40, daemon.address, "127.0.0.%d" % source).items():
                found[answer] = found.get(answer, 0) + count
        self.assertNotIn((503, "out_of_descriptors"), found)
        self.assertLessEqual(found[200, None], most)
        self.assertEqual(daemon.get("/livez", admin=True).status, 200)

    def test_what_was_set_and_does_not_fit_is_refused(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
        done = subprocess.run([DAEMON, "--listen", "127.0.0.1:0", "--admin-listen", "none",
                               "--event-loops", "1", "--max-connections", "200"],
                              preexec_fn=self.limit(256), capture_output=True, check=False,
                              env=environment, timeout=patience(20))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"max-connections is 200, but the process may have 256 descriptors and needs "
                      b"166 of them otherwise: 90 are left", done.stderr)

    def test_one_is_kept_to_say_so(self):
        daemon = self.start()
        used = len(os.listdir("/proc/%d/fd" % daemon.pid))
        before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (used + 8, before[1]))
        found = self.open(40, daemon.address)
        self.assertEqual(set(found), {(200, None), (503, "out_of_descriptors")})
        self.assertGreaterEqual(found[503, "out_of_descriptors"], 30)
        daemon.wait_log(patience(5), message="connections refused", reason="descriptors")
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)
        self.assertGreaterEqual(self.refused(daemon, "descriptors"), 30)
        self.assertEqual(self.open(1, daemon.address), {(200, None): 1})


if __name__ == "__main__":
    unittest.main()
