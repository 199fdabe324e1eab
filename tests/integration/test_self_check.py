"""`gradientd check`: a line for each question, and the exit status."""

import os
import subprocess
import tempfile
import unittest

from support import DAEMON, Case, patience

QUESTIONS = ("configuration", "tokens", "certificates", "BLAS: called by several threads",
             "BLAS: exact where it can be", "numbers read and printed")


class Check(Case):
    def ask(self, *flags):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
        done = subprocess.run([DAEMON, "check", *flags], env=variables, text=True, check=False,
                              capture_output=True, timeout=patience(20))
        return done.returncode, done.stdout.splitlines(), done.stderr

    def test_all_is_well(self):
        status, lines, errors = self.ask()
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(lines, ["ok   " + name for name in QUESTIONS])

    def test_a_file_that_is_not_there(self):
        for flag, name in (("--token-file", "tokens"), ("--tls-certificate", "certificates")):
            flags = [flag, "/nowhere/file"]
            if name == "certificates":
                flags += ["--tls-key", "/nowhere/key"]
            status, lines, _ = self.ask(*flags)
            self.assertEqual(status, 1)
            wrong = [line for line in lines if not line.startswith("ok ")]
            self.assertEqual(len(wrong), 1, lines)
            self.assertRegex(wrong[0], "^FAIL %s: .*No such file" % name)
            self.assertEqual(len(lines), len(QUESTIONS))

    def test_a_token_file_with_a_mistake(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("not a token\n")
            file.flush()
            status, lines, _ = self.ask("--token-file", file.name)
        self.assertEqual(status, 1)
        self.assertRegex("\n".join(lines), "FAIL tokens: .*1")

    def test_a_configuration_that_cannot_be_read(self):
        status, lines, errors = self.ask("--workers", "many")
        self.assertEqual((status, lines), (2, []))
        self.assertIn("--workers", errors)


if __name__ == "__main__":
    unittest.main()
