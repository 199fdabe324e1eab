#!/usr/bin/python3
"""The image on a real Docker engine: builds it, runs it as it is meant to be run, and looks from
outside. What lives here is what a container must hold to; the daemon's behaviour has its own tests.

RUN_TESTS=1 in the environment runs the daemon's tests inside the build as well."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import engine  # noqa: E402
import results  # noqa: E402
from engine import docker  # noqa: E402
from service import DOCUMENT, RIGHT, Container, HARDENED, get, post, wait_for  # noqa: E402

ENGINE = None
REVISION = "0123456789ab"


def setUpModule():
    global ENGINE
    ENGINE = engine.start()
    try:
        print(f"engine: {'started' if ENGINE else 'running already'}; "
              f"base image: {engine.provide_base()}", flush=True)
        build()
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    if ENGINE:
        ENGINE.stop()


def build():
    """make image, by the builder that Docker 20.10 has."""
    started = time.monotonic()
    done = subprocess.run(
        ["make", "--no-print-directory", "image", f"DOCKER={engine.client()}",
         f"REVISION={REVISION}", f"RUN_TESTS={os.environ.get('RUN_TESTS', '0')}",
         "SOURCE=https://example.org/gradientd"], cwd=engine.ROOT, text=True,
        env={**os.environ, "DOCKER_BUILDKIT": "0"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        # What fails among the tests inside is printed long before the end.
        inside = done.stdout[max(0, done.stdout.find("\nFAIL ")):][:12000]
        raise AssertionError(f"make image: exit {done.returncode}\n"
                             f"{inside if 'FAIL' in inside[:6] else ''}"
                             f"\n[…]\n{done.stdout[-6000:]}")
    inside = re.findall(r"^\d+ passed, \d+ failed.*$", done.stdout, re.MULTILINE)
    size = int(docker("image", "inspect", "-f", "{{.Size}}", "gradientd")) / 1e6
    print(f"image: {size:.0f} MB, built in {time.monotonic() - started:.0f} s; "
          f"tests inside: {inside[-1] if inside else 'not asked for'}", flush=True)


class Image(unittest.TestCase):
    """What the image says of itself."""

    @classmethod
    def setUpClass(cls):
        cls.config = json.loads(docker("image", "inspect", "gradientd"))[0]["Config"]

    def test_labels(self):
        labels = {key.rsplit(".")[-1]: value for key, value in self.config["Labels"].items()}
        self.assertEqual(labels["revision"], REVISION)
        self.assertEqual(labels["source"], "https://example.org/gradientd")
        self.assertRegex(labels["version"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(labels["created"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(labels["licenses"], "MIT")

    def test_user_is_a_number_and_not_root(self):
        self.assertRegex(self.config["User"], r"^[1-9]\d*:[1-9]\d*$")

    def test_no_command_needs_a_shell(self):
        self.assertEqual(self.config["Healthcheck"]["Test"], ["CMD", "gradientd", "healthcheck"])
        self.assertEqual(self.config["Entrypoint"], ["gradientd"])

    def test_version_and_revision_are_the_daemons(self):
        with Container() as container:
            version = container.run_inside("gradientd", "--version")
        self.assertIn(REVISION, version)
        self.assertIn(self.config["Labels"]["org.opencontainers.image.version"], version)


class Running(unittest.TestCase):
    """One container run read-only, without capabilities, asked from outside."""

    @classmethod
    def setUpClass(cls):
        cls.container = Container(*HARDENED)

    @classmethod
    def tearDownClass(cls):
        cls.container.remove()

    def test_becomes_healthy(self):
        self.container.wait_healthy()

    def test_gradients_are_right(self):
        self.assertEqual(post(self.container.address, DOCUMENT), (200, RIGHT))

    def test_admin_listener(self):
        self.assertEqual(get(self.container.admin, "/readyz")[0], 200)
        self.assertIn(b"gradientd_build_info", get(self.container.admin, "/metrics")[1])

    def test_has_no_privileges(self):
        status = pathlib.Path(f"/proc/{self.container.inspect('State.Pid')}/status").read_text()
        fields = dict(re.findall(r"^(\w+):\s+(.*)$", status, re.MULTILINE))
        self.assertNotIn("0", fields["Uid"].split())
        self.assertNotIn("0", fields["Gid"].split())
        for capabilities in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(fields[capabilities], 16), 0, capabilities)
        self.assertEqual(fields["NoNewPrivs"], "1")

    def test_writes_nothing(self):
        post(self.container.address, DOCUMENT)
        self.assertEqual(docker("diff", self.container.id), "")

    def test_logs_one_json_object_a_line(self):
        post(self.container.address, DOCUMENT)
        lines = docker("logs", self.container.id, merge=True).splitlines()
        self.assertGreater(len(lines), 1)
        for line in lines:
            self.assertIsInstance(json.loads(line), dict)

    def test_health_check_fails_where_nothing_answers(self):
        done = subprocess.run(
            [engine.client(), "exec", "-e", "GRADIENTD_LISTEN=127.0.0.1:1",
             "-e", "GRADIENTD_ADMIN_LISTEN=127.0.0.1:2", self.container.id,
             "gradientd", "healthcheck"], capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)


class Runs(unittest.TestCase):
    """Containers run in other ways, and how they end."""

    def test_healthy_on_other_ports(self):
        with Container(*HARDENED, "-e", "GRADIENTD_LISTEN=0.0.0.0:9090",
                       "-e", "GRADIENTD_ADMIN_LISTEN=0.0.0.0:9091", port=9090) as container:
            container.wait_healthy()
            self.assertEqual(post(container.address, DOCUMENT), (200, RIGHT))

    def test_published_port(self):
        with Container(*HARDENED, "-p", "127.0.0.1::8080") as container:
            host, port = docker("port", container.id, "8080/tcp").splitlines()[0].rsplit(":", 1)
            self.assertEqual(post((host, int(port)), DOCUMENT), (200, RIGHT))

    def test_needs_no_shell(self):
        # A shell that is an empty file can run nothing.
        with Container(*HARDENED, "-v", "/dev/null:/usr/bin/dash:ro",
                       "-v", "/dev/null:/usr/bin/bash:ro") as container:
            container.wait_healthy()
            self.assertEqual(post(container.address, DOCUMENT), (200, RIGHT))

    def test_workers_follow_the_quota(self):
        with Container(*HARDENED, "--cpus", "1") as container:
            self.assertEqual(json.loads(get(container.address, "/v1/info")[1])["workers"], 1)

    def test_stops_at_once_when_idle(self):
        with Container(*HARDENED) as container:
            seconds = container.stop()
            self.assertEqual(container.inspect("State.ExitCode"), "0")
            self.assertLess(seconds, 3)

    def test_stop_drains(self):
        """A request whose body is half sent when docker stop comes is answered."""
        with Container(*HARDENED) as container:
            request = container.begin_post(DOCUMENT)
            stopper = threading.Thread(target=container.stop)
            stopper.start()
            wait_for(lambda: not container.accepts(), 5, "the listener to close")
            self.assertEqual(container.finish_post(request, DOCUMENT), (200, RIGHT))
            stopper.join()
            self.assertEqual(container.inspect("State.ExitCode"), "0")


class Compose(unittest.TestCase):
    """deploy/compose.yaml by the compose program that Debian has."""

    @classmethod
    def setUpClass(cls):
        if shutil.which("docker-compose"):
            cls.command = ["docker-compose"]
        elif subprocess.run([engine.client(), "compose", "version"], capture_output=True,
                            check=False).returncode == 0:
            cls.command = [engine.client(), "compose"]
        else:
            raise unittest.SkipTest("no docker-compose here")

    def compose(self, *arguments):
        done = subprocess.run(
            [*self.command, "-f", "deploy/compose.yaml", "-p", "gradientdtest", *arguments],
            cwd=engine.ROOT, text=True, capture_output=True, stdin=subprocess.DEVNULL,
            env={**os.environ, "PORT": "0", "DOCKER_BUILDKIT": "0"}, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.strip()

    def test_up_healthy_down(self):
        self.addCleanup(self.compose, "down", "--timeout", "10")
        self.compose("up", "-d", "--no-build")
        container = Container(existing=self.compose("ps", "-q", "gradientd"))
        container.wait_healthy()
        self.assertEqual(post(container.address, DOCUMENT), (200, RIGHT))
        self.assertEqual(container.inspect("HostConfig.ReadonlyRootfs"), "true")
        self.assertEqual(container.inspect("HostConfig.Memory"), str(512 << 20))
        container.stop()
        self.assertEqual(container.inspect("State.ExitCode"), "0")


def main():
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    totals = results.Totals(max(0, result.testsRun - failed - skipped), failed, skipped)
    print(totals)
    sys.exit(0 if totals.passed and not failed else 1)


if __name__ == "__main__":
    main()
