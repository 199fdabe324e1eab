"""The exit statuses that docs/architecture.md lists, exactly: 1 where the daemon cannot start, 2
where it was told something wrong. 0 and 3, of a daemon that ran, are test_concurrency.py's."""

import os
import socket
import subprocess
import tempfile
import unittest

from support import DAEMON, patience


def status_of(*arguments, **variables):
    """What gradientd exits with."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
    done = subprocess.run([DAEMON, *arguments], env={**environment, **variables},
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=patience(20),
                          check=False)
    return done.returncode


class ExitStatus(unittest.TestCase):
    """Of daemons that end before they serve."""

    def test_wrong_configuration(self):
        for arguments in (("--worker", "3"), ("--workers", "many"), ("--workers",), ("stray",),
                          ("--max-body", "1"), ("--listen", "nowhere"),
                          ("--config", "/nonexistent/gradientd.conf"),
                          ("healthcheck", "--worker", "3"), ("--check-config", "--workers", "x")):
            with self.subTest(arguments):
                self.assertEqual(status_of(*arguments), 2)
        self.assertEqual(status_of(GRADIENTD_MAX_BDOY="3"), 2)
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("workers = 3\nworkers = 4\n")
            file.flush()
            self.assertEqual(status_of("--config", file.name), 2)

    def test_cannot_start_and_no_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.assertEqual(status_of("--listen", address, "--admin-listen", "none"), 1)
        self.assertEqual(status_of("healthcheck", "--admin-listen", address), 1)

    def test_health_of_what_cannot_be_asked(self):
        """A name that leads nowhere, all of IPv6 without anybody there, TLS without an admin."""
        for asked in ("nowhere.invalid:1", "[::]:1"):
            self.assertEqual(status_of("healthcheck", "--admin-listen", asked), 1)
        self.assertEqual(status_of("healthcheck", "--admin-listen", "none", "--tls-certificate",
                                   "/c", "--tls-key", "/k"), 1)

    def test_memory_that_there_is_not(self):
        self.assertEqual(status_of("--listen", "127.0.0.1:0", "--admin-listen", "none",
                                   "--memory-budget", "900GiB"), 1)


if __name__ == "__main__":
    unittest.main()
