"""findings/run.py, which runs the findings: what it makes of each exit status, of a script that
prints no verdict and of one that does not end. No finding is run here: they need the network."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

VARIANTS = ("plain",)

RUNNER = pathlib.Path(__file__).resolve().parent.parent.parent / "findings" / "run.py"
SUPPORT = RUNNER.parent / "support" / "finding.sh"


class FindingsTest(unittest.TestCase):
    def run_scripts(self, *options, **scripts):
        """(exit status, lines) of the runner over scripts of these names and bodies."""
        with tempfile.TemporaryDirectory() as folder:
            for name, body in scripts.items():
                pathlib.Path(folder, name + ".sh").write_text("#!/bin/sh\n# A title\nset -eu\n"
                                                              + body + "\n", encoding="utf-8")
            done = subprocess.run([sys.executable, str(RUNNER), "--folder", folder, *options],
                                  capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout.splitlines()

    def test_exit_statuses_are_counted(self):
        status, lines = self.run_scripts(a="echo ok: as it was", b="echo skipped: no npm; exit 77",
                                         c="echo expected 1; exit 1", d="exit 3")
        self.assertEqual((status, lines[-1]), (1, "1 passed, 2 failed, 1 skipped"))
        self.assertRegex(lines[0], r"^ok      a \([0-9.]+ s\): as it was$")
        self.assertEqual(lines[1], "skipped b: no npm")
        self.assertRegex(lines[2], r"^CHANGED c \([0-9.]+ s, exit status 1\)$")
        self.assertEqual(lines[3], "        expected 1")

    def test_success_without_a_verdict_fails(self):
        self.assertEqual(self.run_scripts(a="true", b="echo done")[0], 1)

    def test_a_script_without_end_fails(self):
        status, lines = self.run_scripts("--seconds", "0.5", a="exec sleep 30")
        self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed"))
        self.assertIn("not finished after 0.5 s", lines[1])

    def test_one_is_chosen_by_a_word(self):
        status, lines = self.run_scripts("--only", "right", right="echo ok: 1", wrong="exit 1")
        self.assertEqual((status, lines[-1]), (0, "1 passed, 0 failed"))
        self.assertEqual(self.run_scripts("--only", "nothing", right="echo ok: 1")[0], 1)

    def test_the_shared_part_gives_the_verdicts(self):
        source = f". '{SUPPORT}'\n"
        status, lines = self.run_scripts(same=source + "verdict '1 2' '1 2' 'both are'",
                                         other=source + "verdict 1 2 'one is'",
                                         absent=source + "debian_package no-such-package 1")
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 1 skipped"))
        self.assertIn("skipped absent: the package no-such-package is not installed", lines)
        self.assertIn("        changed: one is", lines)


if __name__ == "__main__":
    unittest.main()
