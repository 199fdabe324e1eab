"""How the programs and libraries are built, read from their ELF headers by readelf: what the linker
was asked for in each of them, what the compiler was asked for in each object of ours."""

import glob
import os
import platform
import re
import subprocess
import unittest

from support import BUILD

VARIANTS = ("plain",)

PROGRAMS = ("gradientd", "gradient")
LIBRARIES = ("libgradient.so.*", "libgradient-client.so.*")
# The word of the processor's notes on control flow, by machine. A linked program has it only where
# libc's start files have it too, and Debian's have none: so the objects are asked.
CONTROL_FLOW = {"x86_64": ("IBT", "SHSTK"), "aarch64": ("BTI", "PAC")}
FLAGS = ("-fstack-protector-strong", "-fstack-clash-protection", "-ftrivial-auto-var-init=zero")


def readelf(flags, path):
    return subprocess.run(["readelf", "-W", *flags, path], check=True, text=True,
                          capture_output=True).stdout


def built(*patterns):
    return [path for pattern in patterns for path in sorted(glob.glob(os.path.join(BUILD, pattern)))
            if not os.path.islink(path)]


class Linked(unittest.TestCase):
    def test_nothing_is_written_and_run_and_tables_are_read_only(self):
        files = built(*PROGRAMS, *LIBRARIES)
        self.assertEqual(len(files), 4, files)
        for path in files:
            with self.subTest(path=path):
                segments = readelf(["-l"], path)
                self.assertRegex(segments, r"GNU_STACK .* RW +0x")
                self.assertNotRegex(segments, r"LOAD .* RWE ")
                self.assertIn("GNU_RELRO", segments)
                self.assertRegex(readelf(["-d"], path), r"FLAGS\).*BIND_NOW|FLAGS_1\).*NOW")

    def test_programs_are_put_anywhere_in_memory(self):
        for path in built(*PROGRAMS):
            self.assertRegex(readelf(["-d"], path), r"FLAGS_1\).*PIE", path)

    def test_calls_of_libc_are_fortified(self):
        for path in built(*PROGRAMS):
            self.assertTrue(re.search(r"__\w+_chk@", readelf(["--dyn-syms"], path)), path)


class Compiled(unittest.TestCase):
    def objects(self):
        found = [path for room in ("lib", "server", "client")
                 for path in glob.glob(os.path.join(BUILD, "obj", room, "**", "*.o"),
                                       recursive=True)]
        self.assertGreater(len(found), 100)
        return found

    def test_jumps_and_returns_are_marked(self):
        wanted = CONTROL_FLOW.get(platform.machine())
        if wanted is None:
            self.skipTest("no marks known for " + platform.machine())
        for path in self.objects():
            notes = readelf(["-n"], path)
            self.assertTrue(all(word in notes for word in wanted), path + "\n" + notes)

    def test_the_compiler_was_told(self):
        for path in self.objects()[::10]:
            names = re.findall(r"GNU C\d+ .*", readelf(["-p", ".debug_str"], path))
            self.assertTrue(names, path)
            for flag in FLAGS:
                self.assertIn(flag, names[0], path)


if __name__ == "__main__":
    unittest.main()
