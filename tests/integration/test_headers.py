"""The introductions of the public headers: each opens with a program, which compiles against the
installed library and prints what its last comment says. gradient.h's is an example of the project
too."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from test_readme import WITH_DAEMON, run

VARIANTS = ("plain",)

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = os.path.abspath(os.environ.get("GRADIENTD_BUILD", ROOT / "build"))
HEADERS = (*sorted((ROOT / "lib").glob("*.h")), ROOT / "client" / "gradient_client.h")
PROMISED = re.compile(r"return 0; +// (.*)\n}\n$")


def program_of(header):
    """The program in the opening comment of a header: its lines behind " *     "."""
    comment = header.read_text(encoding="utf-8").split("*/")[0]
    lines = comment.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(" *     #include"))
    last = lines.index(" *     }", first)
    return "".join(line[len(" *     "):] + "\n" for line in lines[first:last + 1])


class Headers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="headers-"))
        subprocess.run(["make", "-s", "install", f"PREFIX={cls.folder}/prefix"], cwd=ROOT,
                       check=True, stdout=subprocess.DEVNULL)
        os.symlink(BUILD, cls.folder / "build")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_programs_print_what_they_say(self):
        self.assertEqual(len(HEADERS), 5)
        for header in HEADERS:
            with self.subTest(header=header.name):
                program = program_of(header)
                package = "gradient-client" if "client" in header.name else "gradient"
                (self.folder / "program.c").write_text(program, encoding="utf-8")
                command = (f"gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -o program program.c "
                           f"$(pkg-config --cflags --libs {package}) && ./program")
                library = str(self.folder / "prefix" / "lib")
                outcome = run(WITH_DAEMON % command, self.folder, LD_LIBRARY_PATH=library,
                              PKG_CONFIG_PATH=library + "/pkgconfig")
                self.assertEqual(outcome.stdout.strip(), PROMISED.search(program).group(1))

    def test_the_simple_entry_is_an_example(self):
        example = (ROOT / "client" / "examples" / "dense_gradients.c").read_text(encoding="utf-8")
        self.assertTrue(example.endswith(program_of(ROOT / "lib" / "gradient.h")))


if __name__ == "__main__":
    unittest.main()
