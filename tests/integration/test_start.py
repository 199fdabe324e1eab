"""Starting: an environment full of other people's variables, words that other servers know, and
the tables of --describe.
Exit statuses are test_exit_status.py's, the log's form test_log.py's."""

import os
import re
import subprocess
import unittest

from support import DAEMON, Case, Daemon, patience

# What a pod finds beside the services gradientd and gradientd-metrics (Kubernetes 1.31), and a
# container that was linked to gradientd (docker run --link).
LINKS = {
    "GRADIENTD_SERVICE_HOST": "10.96.0.7", "GRADIENTD_SERVICE_PORT": "80",
    "GRADIENTD_SERVICE_PORT_HTTP": "80", "GRADIENTD_PORT": "tcp://10.96.0.7:80",
    "GRADIENTD_PORT_80_TCP": "tcp://10.96.0.7:80", "GRADIENTD_PORT_80_TCP_PROTO": "tcp",
    "GRADIENTD_PORT_80_TCP_PORT": "80", "GRADIENTD_PORT_80_TCP_ADDR": "10.96.0.7",
    "GRADIENTD_METRICS_SERVICE_HOST": "fd00::7", "GRADIENTD_METRICS_SERVICE_PORT": "8081",
    "GRADIENTD_METRICS_PORT": "tcp://[fd00::7]:8081",
    "GRADIENTD_METRICS_PORT_8081_TCP": "tcp://[fd00::7]:8081",
    "GRADIENTD_METRICS_PORT_8081_TCP_ADDR": "fd00::7",
    "GRADIENTD_METRICS_PORT_8081_TCP_PORT": "8081",
    "GRADIENTD_METRICS_PORT_8081_TCP_PROTO": "tcp",
    "GRADIENTD_NAME": "/trainer/gradientd", "GRADIENTD_ENV_GRADIENTD_LISTEN": "0.0.0.0:8080"}


def refusal_of(*arguments, **variables):
    """What gradientd says where it does not start."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
    done = subprocess.run([DAEMON, *arguments], env={**environment, **variables},
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=patience(20),
                          check=False)
    assert done.returncode == 2, done
    return done.stderr.decode().splitlines()[0]


def described(*topic):
    return subprocess.run([DAEMON, "--describe", *topic], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=patience(20), check=False)


class Start(Case):
    def test_links_are_left_alone(self):
        with Daemon(environment=LINKS) as daemon:
            self.assertEqual(daemon.get("/livez").status, 200)

    def test_misspelt_variables_are_not(self):
        for name, value, meant in (
                ("GRADIENTD_MAX_BDOY", "3MiB", "GRADIENTD_MAX_BODY"),
                ("GRADIENTD_LISTEN_ON", "[::]:80", "GRADIENTD_LISTEN"),
                ("GRADIENTD_PORT", "8080", "GRADIENTD_LISTEN=127.0.0.1:8080"),
                ("GRADIENTD_HOST", "10.96.0.7", "GRADIENTD_LISTEN=127.0.0.1:8080")):
            with self.subTest(name):
                self.assertEqual(refusal_of(**{**LINKS, name: value}),
                                 "gradientd: unknown variable %s; did you mean %s?" % (name, meant))

    def test_flags_of_other_servers(self):
        for words in (("--port", "9000"), ("--port=9000",), ("-p", "9000"), ("--host", "::"),
                      ("--bind", "x"), ("--address", "x"), ("-b", "x"), ("--bind-address", "x")):
            with self.subTest(words):
                self.assertEqual(
                    refusal_of(*words), "gradientd: unknown option %s; did you mean "
                    "--listen 127.0.0.1:8080?" % words[0])

    def test_describe(self):
        """All topics one below the other, or one of them; a topic that is none is told with those
        that are."""
        whole = described().stdout
        topics = re.findall(r"^## (\w+)$", whole, re.MULTILINE)
        self.assertIn("limits", topics)
        self.assertEqual("\n".join("## %s\n\n%s" % (topic, described(topic).stdout)
                                   for topic in topics), whole)
        self.assertIn("| `max_layers` | 1024 | `--max-layers` |", described("limits").stdout)
        wrong = described("limit")
        self.assertEqual((wrong.returncode, wrong.stdout), (2, ""))
        self.assertEqual(wrong.stderr, 'gradientd: --describe knows no "limit"; it knows %s\n'
                         % ", ".join(topics))

    def test_it_starts_over_for_one_thread_of_blas(self):
        """In the same process, whatever the variable was."""
        for threads in ("", "2"):
            with self.subTest(threads), \
                    Daemon(environment={"OPENBLAS_NUM_THREADS": threads}) as daemon:
                with open("/proc/%d/environ" % daemon.pid, "rb") as file:
                    self.assertIn(b"OPENBLAS_NUM_THREADS=1", file.read().split(b"\0"))
                self.assertEqual(daemon.get("/livez").status, 200)

    def test_a_warning_where_others_can_reach_it(self):
        """0.0.0.0 and [::], and any address of an interface; not those of the loopback."""
        warning = "others can reach this address"
        for listen, warned in (("0.0.0.0:0", True), ("*:0", True), ("127.0.0.1:0", False),
                               ("127.1.2.3:0", False), ("localhost:0", False)):
            for role, flag in (("service", "--listen"), ("admin", "--admin-listen")):
                with self.subTest(listen, role=role), \
                        Daemon(flag, listen, "--insecure", "on") as daemon:
                    daemon.stop()
                    told = [line for line in daemon.records(level="warning")
                            if line["message"].startswith(warning)]
                    self.assertEqual([line["role"] for line in told], [role] if warned else [])
                    if warned:
                        self.assertIn("proxy", told[0]["message"])


if __name__ == "__main__":
    unittest.main()
