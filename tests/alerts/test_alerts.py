#!/usr/bin/python3
"""The alerts of deploy/alerts, as promtool reads them, and when they fire. `make test-alerts`."""
import os
import pathlib
import subprocess
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RULES = sorted((ROOT / "deploy" / "alerts").glob("*.yaml"))
TESTS = sorted(HERE.glob("*.test.yaml"))


class Alerts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.promtool = subprocess.run([str(HERE / "promtool.sh")], check=True, text=True,
                                      stdout=subprocess.PIPE).stdout.strip()

    def ask(self, *arguments):
        done = subprocess.run([self.promtool, *map(str, arguments)], text=True, cwd=HERE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env={**os.environ, "LC_ALL": "C"})
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_rules_are_sound(self):
        self.assertTrue(RULES)
        self.assertIn("SUCCESS", self.ask("check", "rules", *RULES))

    def test_they_fire_when_they_should_and_not_else(self):
        self.assertTrue(TESTS)
        self.assertIn("SUCCESS", self.ask("test", "rules", *TESTS))

    def test_each_alert_is_seen_to_fire(self):
        """The tests above name it."""
        tested = "".join(path.read_text() for path in TESTS)
        for path in RULES:
            for line in path.read_text().splitlines():
                name = line.partition("- alert: ")[2]
                if name:
                    self.assertIn('alertname="%s"' % name, tested)


if __name__ == "__main__":
    unittest.main()
