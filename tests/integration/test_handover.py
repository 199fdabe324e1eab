"""Listening sockets that a service manager hands over, what it is told, and a restart that refuses
nobody; the units of deploy/; Unix sockets. The manager is this test, and systemd's where it is."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from support import (DAEMON, Broken, Case, Connection, Daemon, body_of, build_request,
                     make_request, patience)

# Puts the descriptors of its first argument in a row from 3 on, as sd_listen_fds(3) wants them.
HAND_OVER = """
import fcntl, os, sys
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",") if fd]
for place, fd in enumerate(fds):
    os.dup2(fd, 3 + place)
    os.close(fd)
os.environ["LISTEN_FDS"] = str(len(fds))
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def listen(host="127.0.0.1"):
    return socket.create_server((host, 0), backlog=1024)


def by_manager(sockets):
    """The command that hands these sockets to a daemon."""
    fds = [s.fileno() for s in sockets]
    for fd in fds:
        os.set_inheritable(fd, True)
    return (sys.executable, "-c", HAND_OVER, ",".join(map(str, fds)), DAEMON)


def start(sockets, *flags, names=None, **options):
    """A daemon with these sockets, which Popen must leave open."""
    environment = {"LISTEN_FDNAMES": names} if names else {}
    environment.update(options.pop("environment", {}))
    return Daemon(*flags, command=by_manager(sockets), environment=environment, close_fds=False,
                  **options)


def run(*command, **variables):
    """A command that is through soon, with no options of the daemon's in its environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
    done = subprocess.run(command, env={**environment, **variables}, close_fds=False,
                          capture_output=True, timeout=patience(20), check=False)
    return done.returncode, done.stderr.decode()


class HandedOver(Case):
    """By name or by place."""

    def test_by_name(self):
        with listen() as admin, listen() as service:
            with start([admin, service], names="admin:service") as daemon:
                self.assertEqual(daemon.address, service.getsockname())
                self.assertEqual(daemon.admin, admin.getsockname())
                self.assertEqual(daemon.get("/v1/info").status, 200)
                self.assertEqual(daemon.get("/metrics", admin=True).status, 200)

    def test_by_place(self):
        for names in (None, "gradientd.socket", "unknown:unknown"):
            with self.subTest(names), listen() as service, \
                    start([service], names=names) as daemon:
                self.assertEqual(daemon.address, service.getsockname())
                self.assertNotEqual(daemon.admin, service.getsockname())
                self.assertEqual(daemon.get("/v1/info").status, 200)

    def test_one_by_name_and_one_by_place(self):
        with listen() as one, listen() as admin:
            with start([one, admin], names="x:admin") as daemon:
                self.assertEqual((daemon.address, daemon.admin),
                                 (one.getsockname(), admin.getsockname()))

    def test_for_another_process(self):
        """Whoever's parent was activated has none: LISTEN_PID says whose they are."""
        with listen() as service, start([service], environment={"LISTEN_PID": "1"}) as daemon:
            self.assertNotEqual(daemon.address, service.getsockname())

    def test_what_is_no_listener(self):
        with socket.socket() as unconnected, listen() as one, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            for sockets, names, words in (
                    ([unconnected], "service", "expected a listening stream socket.*something"),
                    ([datagrams], "service", "expected a listening stream socket.*something"),
                    ([one, one], "service:service", "at most one for each listener.*one more"),
                    ([one, one, one], "a:b:c", "at most one for each listener.*one more")):
                with self.subTest(names):
                    status, said = run(*by_manager(sockets), "--listen", "127.0.0.1:0",
                                       "--admin-listen", "none", LISTEN_FDNAMES=names)
                    self.assertEqual(status, 1, said)
                    self.assertRegex(said, words)

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "needs systemd-socket-activate")
    def test_by_systemd_itself(self):
        with listen() as found:
            address = found.getsockname()
        with subprocess.Popen(
                ["systemd-socket-activate", "-l", "%s:%d" % address, "--fdname=service", DAEMON,
                 "--admin-listen", "none"], stderr=subprocess.DEVNULL) as manager:
            try:
                deadline = time.monotonic() + patience(20)
                while True:  # the first connection starts the daemon
                    with contextlib.suppress(OSError, Broken), Connection(address) as connection:
                        status = connection.request("GET", "/v1/info").status
                        break
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
            finally:
                manager.terminate()
        self.assertEqual(status, 200)


class Restarting(Case):
    """The old daemon leaves the listening socket to the new one."""

    def test_no_connection_attempt_is_lost(self):
        """Four threads connect anew for each request, while four daemons follow each other."""
        with listen() as service:
            stop, outcomes, lock = threading.Event(), [], threading.Lock()

            def work():
                request = build_request("POST", "/v1/gradients", body_of(make_request(2, 3, 2)),
                                        [("Connection", "close")])
                while not stop.is_set():
                    try:
                        with Connection(service.getsockname(), timeout=patience(30)) as one:
                            one.send(request)
                            outcome = one.read_response().status
                    except (OSError, Broken) as error:
                        outcome = repr(error)
                    with lock:
                        outcomes.append(outcome)

            threads = [threading.Thread(target=work) for _ in range(4)]
            daemon = start([service])
            for thread in threads:
                thread.start()
            counts = []
            for _ in range(4):
                time.sleep(0.3)
                with lock:
                    counts.append(len(outcomes))
                daemon.stop()
                daemon = start([service])
            time.sleep(0.3)
            stop.set()
            for thread in threads:
                thread.join()
            daemon.stop()
            self.assertEqual({o for o in outcomes}, {200})
            for before, after in zip(counts, counts[1:]):
                self.assertGreater(after, before)

    def test_connections_wait_for_the_next_daemon(self):
        with listen() as service:
            start([service]).stop()
            with Connection(service.getsockname(), timeout=patience(20)) as waiting:
                waiting.send(b"GET /v1/info HTTP/1.1\r\nHost: a\r\n\r\n")
                with start([service]):
                    self.assertEqual(waiting.read_response().status, 200)

    def test_readiness_falls_before_the_listener_closes(self):
        with Daemon("--drain-delay", "%gs" % patience(1)) as daemon:
            self.assertEqual(daemon.get("/readyz", admin=True).status, 200)
            began = time.monotonic()
            daemon.signal()
            daemon.wait_log(patience(5), message="draining")
            while daemon.get("/readyz", admin=True).status == 200:
                self.assertLess(time.monotonic() - began, patience(1) * 0.9)
            response = daemon.get("/v1/info")  # by a new connection
            self.assertEqual((response.status, response.headers["connection"]), (200, "close"))
            daemon.check_exit(patience(10))
            self.assertGreater(time.monotonic() - began, patience(1) * 0.9)

    def test_a_second_signal_cuts_the_delay(self):
        with Daemon("--drain-delay", "60s", expect_exit=3) as daemon:
            daemon.signal()
            daemon.wait_log(patience(5), message="draining")
            daemon.signal()
            daemon.check_exit(patience(10))


class Told(Case):
    """What the service manager is told, by a path and by an abstract name."""

    def test_states(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, address in ((os.path.join(folder, "n"),) * 2,
                                  ("@gradientd-%d" % os.getpid(), "\0gradientd-%d" % os.getpid())):
                with self.subTest(name), socket.socket(socket.AF_UNIX,
                                                       socket.SOCK_DGRAM) as manager:
                    manager.bind(address)
                    manager.settimeout(patience(20))
                    with Daemon(environment={"NOTIFY_SOCKET": name}) as daemon:
                        self.assertIn("READY=1\nSTATUS=", manager.recv(1000).decode())
                        before = time.monotonic_ns() // 1000
                        daemon.signal(signal.SIGHUP)
                        said = manager.recv(1000).decode()
                        self.assertIn("RELOADING=1\n", said)
                        since = int(re.search(r"MONOTONIC_USEC=(\d+)", said).group(1))
                        self.assertTrue(before <= since <= time.monotonic_ns() // 1000)
                        self.assertIn("READY=1\n", manager.recv(1000).decode())
                        daemon.signal()
                        self.assertIn("STOPPING=1\n", manager.recv(1000).decode())

    def test_nobody_is_there(self):
        for name in ("/nowhere", "@nobody", "", "relative", "/" + "x" * 200):
            with self.subTest(name[:10]), Daemon(environment={"NOTIFY_SOCKET": name}) as daemon:
                self.assertEqual(daemon.get("/v1/info").status, 200)


class Units(unittest.TestCase):
    """deploy/gradientd.service and .socket, as systemd reads them."""

    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
    def test_systemd_finds_nothing_wrong(self):
        deploy = os.path.join(os.path.dirname(__file__), "..", "..", "deploy")
        with tempfile.TemporaryDirectory() as folder:
            for name in ("gradientd.service", "gradientd.socket"):
                with open(os.path.join(deploy, name), encoding="ascii") as unit:
                    text = unit.read()
                text = text.replace("/usr/local/bin/gradientd", os.path.abspath(DAEMON))
                with open(os.path.join(folder, name), "w", encoding="ascii") as unit:
                    unit.write(text)
            paths = [os.path.join(folder, name) for name in os.listdir(folder)]
            done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True,
                                  timeout=patience(60), check=False)
            self.assertEqual((done.returncode, done.stderr.decode()), (0, ""))


class UnixSockets(Case):
    """Both listeners by paths."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.path = os.path.join(self._folder.name, "service")
        self.admin = os.path.join(self._folder.name, "admin")

    def flags(self, *more):
        return ["--listen", "unix:" + self.path, "--admin-listen", "unix:" + self.admin, *more]

    def start(self, *more, **options):
        daemon = Daemon(arguments=self.flags(*more), **options)
        self.assertEqual((daemon.address, daemon.admin), (self.path, self.admin))
        return daemon

    def test_requests(self):
        with self.start() as daemon:
            body = body_of(make_request(2, 300, 200))
            self.assertEqual(daemon.post(body).status, 200)
            with daemon.connect() as connection:
                for _ in range(3):
                    self.assertEqual(connection.request("GET", "/v1/info").status, 200)
            self.assertEqual(daemon.get("/livez", admin=True).status, 200)
            line = daemon.wait_log(patience(5), message="request", path="/v1/gradients")
            self.assertEqual(line["peer"], "unix:uid=%d,pid=%d" % (os.getuid(), os.getpid()))

    def test_mode_and_owner(self):
        for mode in ("0600", "0666", "0770"):
            with self.subTest(mode), self.start("--unix-mode", mode):
                for path in (self.path, self.admin):
                    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), int(mode, 8))
        with self.start():
            self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o660)
        if os.getuid() != 0:
            return
        nobody = pwd.getpwnam("nobody")
        for owner, user, group in (("nobody", nobody.pw_uid, 0), (":nogroup", 0, nobody.pw_gid),
                                   ("12345:nogroup", 12345, nobody.pw_gid)):
            with self.subTest(owner), self.start("--unix-owner", owner):
                found = os.stat(self.path)
                self.assertEqual((found.st_uid, found.st_gid), (user, group))

    def assert_fails(self, words, *more):
        status, said = run(DAEMON, *self.flags(*more))
        self.assertEqual(status, 1, said)
        self.assertRegex(said, words)

    def test_what_is_in_the_way(self):
        """Whatever somebody listens at, or is no socket, stays."""
        with self.start(), tempfile.NamedTemporaryFile() as file:
            self.assert_fails("Address already in use")
            self.path = file.name
            self.admin += "2"
            self.assert_fails("Address already in use")
            self.assertTrue(os.path.isfile(file.name))
        self.path = "/nowhere/socket"
        self.assert_fails("cannot listen on unix:/nowhere/socket: No such file")
        self.path = self.admin + "3"
        self.assert_fails("unix-owner names nobody", "--unix-owner", "no-such-user")

    def test_a_file_that_was_left_is_replaced(self):
        daemon = self.start(expect_exit=-signal.SIGKILL)
        daemon.signal(signal.SIGKILL)
        daemon.check_exit(patience(10))
        self.assertTrue(os.path.exists(self.path))
        with self.start() as daemon:
            self.assertEqual(daemon.get("/v1/info").status, 200)

    def test_the_file_goes_with_the_daemon(self):
        """In the sandbox too, but where the kernel has but the half of it."""
        for sandbox in ("off", "auto"):
            with self.subTest(sandbox), self.start("--sandbox", sandbox) as daemon:
                said = daemon.wait_log(patience(5), message="sandbox")
                if said["calls"] == "limited" and said["files"] != "limited":
                    continue
                daemon.signal(signal.SIGTERM)
                daemon.check_exit(patience(10))
                self.assertFalse(os.path.exists(self.path))
                self.assertFalse(os.path.exists(self.admin))

    def test_health_check(self):
        self.assertEqual(run(DAEMON, "healthcheck", *self.flags())[0], 1)
        with self.start():
            self.assertEqual(run(DAEMON, "healthcheck", *self.flags())[0], 0)

    def test_a_reader_that_does_not_read_is_cut_off(self):
        """As of TCP; one that reads slowly gets all."""
        body = body_of(make_request(2, 600, 500))
        with self.start("--reply-timeout", "1s", "--min-reply-rate", "1") as daemon:
            wanted = daemon.post(body).body
            with daemon.connect() as slow, daemon.connect() as stuck:
                for connection in (slow, stuck):
                    connection.send(build_request("POST", "/v1/gradients", body))
                self.assertTrue(self._read_slowly(slow, wanted))
                daemon.wait_log(patience(10), message="connection cut off", reason="slow_reader")

    def _read_slowly(self, connection, wanted):
        """Over more than the time that a reader may be silent."""
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
            connection.buffer += connection.socket.recv(len(wanted) // 40)
            time.sleep(0.1)
        return connection.read_response().body == wanted

    def test_abandoned_connections_are_found(self):
        with self.start() as daemon:
            with daemon.connect() as connection:
                connection.send(b"POST /v1/gradients HTTP/1.1\r\nHost: a\r\nContent-Le")
            daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_connections")

    def test_spelling(self):
        for wrong in ("unix:", "unix:relative", "unix:/" + "x" * 107):
            status, said = run(DAEMON, "--listen", wrong)
            self.assertEqual(status, 2)
            self.assertIn("--listen: expected HOST:PORT, unix:PATH", said)


if __name__ == "__main__":
    unittest.main()
