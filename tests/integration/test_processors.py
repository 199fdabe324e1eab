"""What the library refuses to be compiled for, because digits would be wrong in silence or sizes
wrap; and that the flags of the Makefile are not what it refuses."""
import pathlib
import platform
import subprocess
import unittest

VARIANTS = ("plain",)

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def compile_with(*flags):
    """What the compiler says of the file that asks, empty where it compiles it."""
    done = subprocess.run(["gcc", "-std=c11", "-ffreestanding", *flags, "-fsyntax-only",
                           str(ROOT / "lib/core/machine.c")],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout if done.returncode else ""


class Refused(unittest.TestCase):
    def test_plain_flags_are_not(self):
        self.assertEqual(compile_with("-ffp-contract=off", "-fexcess-precision=fast"), "")

    def test_arithmetic_that_is_not_ieee(self):
        self.assertIn("build it without -ffast-math", compile_with("-ffast-math"))

    @unittest.skipUnless(platform.machine() == "x86_64", "x87 and 32 bits are x86's to ask for")
    def test_wider_arithmetic(self):
        self.assertIn("FLT_EVAL_METHOD must be 0", compile_with("-mfpmath=387"))

    @unittest.skipUnless(platform.machine() == "x86_64", "x87 and 32 bits are x86's to ask for")
    def test_32_bits(self):
        self.assertIn("needs a 64-bit machine", compile_with("-m32", "-msse2", "-mfpmath=sse"))


if __name__ == "__main__":
    unittest.main()
