"""The demonstration, as people run it: a network learns through the daemon, on real input, and
nothing is left running, however it ends."""

import os
import pty
import re
import signal
import subprocess
import time
import unittest

from support import BUILD, patience

RUN_ALONE = True
# A request at a time: there is nothing for threads to race about.
VARIANTS = ("plain", "address-undefined")

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DEMO = os.path.join(ROOT, "deploy", "demo.sh")
TIME_LIMIT = patience(60)

# A shell that starts the tests in the background has them ignore SIGINT, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def start(build=BUILD, **options):
    environment = {**os.environ, "BUILD": os.path.abspath(build)}
    return subprocess.Popen([DEMO], env=environment, stdin=subprocess.DEVNULL,
                            start_new_session=True, **options)


def left_running(session):
    """Processes of that session that still live."""
    found = subprocess.run(["ps", "-o", "pid=,comm=", "-s", str(session)], capture_output=True,
                           text=True, check=False)
    return found.stdout.split()


class Demo(unittest.TestCase):
    def assert_nothing_left(self, process):
        for _ in range(50):
            if not left_running(process.pid):
                return
            time.sleep(0.1)
        self.fail("still running: %s" % left_running(process.pid))

    def test_a_network_learns(self):
        process = start(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=TIME_LIMIT)
        self.assertEqual((process.returncode, err), (0, ""), out)
        self.assert_nothing_left(process)
        losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", out)]
        self.assertGreater(len(losses), 3)
        self.assertLess(losses[-1], losses[0] / 10)
        accuracy, digits = re.search(r"accuracy ([\d.]+) % on (\d+) held-out", out).groups()
        self.assertGreaterEqual(float(accuracy), 96)
        self.assertEqual(digits, "359")
        requests, sent, received, time_a_step = re.search(
            r"(\d+) requests, ([\d.]+) MB sent, ([\d.]+) MB received, ([\d.]+) ms a step",
            out).groups()
        self.assertEqual(int(requests), 2 * 45 * 30)
        self.assertGreater(float(sent) * 1e6, int(requests) * 1000)
        self.assertGreater(float(received) * 1e6, int(requests) * 1000)
        self.assertGreater(float(time_a_step), 0)
        self.assertNotIn("\r", out)
        self.assertIn("gradientd stopped", out)
        self.assertRegex(out, r"next: \S+/gradientd &.*README\.md(.|\n)*docs/api\.md")

    def test_a_terminal_sees_a_bar_grow(self):
        ours, theirs = pty.openpty()
        process = start(stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        while b"epoch  3/30" not in shown:
            shown += os.read(ours, 65536)
        os.killpg(process.pid, signal.SIGTERM)
        self.assertEqual(process.wait(TIME_LIMIT), 143, shown)
        os.close(ours)
        self.assertRegex(shown, rb"\repoch  1/30 \[# {29}\] loss [\d.]+  accuracy [\d.]+ %\r")
        self.assertIn(b"\repoch  3/30 [###", shown)
        self.assert_nothing_left(process)

    def test_interrupted(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = start(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            while "epoch" not in process.stdout.readline():
                self.assertIsNone(process.poll())
            os.killpg(process.pid, number)
            process.communicate(timeout=TIME_LIMIT)
            self.assertEqual(process.returncode, code)
            self.assert_nothing_left(process)

    def test_without_a_daemon(self):
        process = start(build="/nonexistent", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        text=True)
        out, _ = process.communicate(timeout=TIME_LIMIT)
        self.assertEqual(process.returncode, 1, out)
        self.assertIn("gradientd didn't start", out)


if __name__ == "__main__":
    unittest.main()
