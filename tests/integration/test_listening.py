"""Where the daemon listens, above all with *: on all addresses of both protocols, or of IPv4 alone
where the kernel has no IPv6."""

import ctypes
import os
import platform
import socket
import struct
import subprocess
import unittest

from support import DAEMON, Daemon, patience

ALL = ("--listen", "*:0", "--admin-listen", "*:0", "--insecure", "on")
SYSCALLS = {"x86_64": 41, "aarch64": 198}  # socket(2)


def has_ipv6(host="::"):
    """Whether that address can be had: a container may have IPv6 and no ::1."""
    try:
        with socket.create_server((host, 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def take_ipv6_away():
    """In this process from now on: socket(AF_INET6, …) fails as without IPv6 in the kernel. A
    filter of seccomp, which needs no privilege once nothing can be gained by exec."""
    load, equal, give = 0x20, 0x15, 0x06  # BPF: word, jump if equal, return
    lines = ((load, 0, 0, 0),  # the number of the call
             (equal, 0, 3, SYSCALLS[platform.machine()]),
             (load, 0, 0, 16),  # its first argument
             (equal, 0, 1, socket.AF_INET6),
             (give, 0, 0, 0x00050000 | 97),  # an error: EAFNOSUPPORT
             (give, 0, 0, 0x7fff0000))  # allowed
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    described = ctypes.create_string_buffer(struct.pack("HP", len(lines),
                                                        ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, described, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def ask(host, port):
    """The status line of GET /livez at that address."""
    with socket.create_connection((host, port), timeout=patience(10)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return connection.makefile("rb").readline()


def run(*arguments):
    """A gradientd that is through soon."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
    return subprocess.run([DAEMON, *arguments], env=environment, capture_output=True,
                          timeout=patience(20), check=False)


class Listening(unittest.TestCase):
    """On every address."""

    def assert_answers(self, daemon, hosts):
        for role, (_, port) in (("service", daemon.address), ("admin", daemon.admin)):
            for host in hosts:
                with self.subTest(role, host=host):
                    self.assertEqual(ask(host, port), b"HTTP/1.1 200 OK\r\n")

    def test_all_addresses(self):
        own = "::" if has_ipv6() else "0.0.0.0"
        hosts = ("127.0.0.1", "::1") if has_ipv6("::1") else ("127.0.0.1",)
        with Daemon(*ALL, "--log-level", "debug") as daemon:
            self.assertEqual(daemon.address[0], own)
            self.assert_answers(daemon, hosts)
            lines = daemon.wait_logs(2 * len(hosts), patience(10), message="request")
            for host in hosts:  # an IPv4 peer is shown as one
                shown = "[%s]:" % host if ":" in host else host + ":"
                self.assertTrue(any(line["peer"].startswith(shown) for line in lines),
                                daemon.tail())
            done = run("healthcheck", "--admin-listen", "*:%d" % daemon.admin[1])
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_without_ipv6_in_the_kernel(self):
        with Daemon(*ALL, prepare=take_ipv6_away) as daemon:
            self.assertEqual(daemon.address[0], "0.0.0.0")
            self.assert_answers(daemon, ("127.0.0.1",))
            done = run("healthcheck", "--admin-listen", "*:%d" % daemon.admin[1])
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_port_that_is_taken_is_no_reason_for_less(self):
        """Another's IPv6 port does not make the daemon listen on IPv4 alone."""
        family, host = (socket.AF_INET6, "::") if has_ipv6() else (socket.AF_INET, "0.0.0.0")
        with socket.create_server((host, 0), family=family) as taken:
            done = run("--listen", "*:%d" % taken.getsockname()[1], "--admin-listen", "none")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot listen on *:", done.stderr)


if __name__ == "__main__":
    unittest.main()
