"""The README, word for word: every `console` block is typed as it stands and must print what it
shows, and so are those of the tour and the pages on the interface; docs/client.md's C program
compiles against an installed library and runs. The other commands of the README are listed here
with who runs them, so that a new one can't go unrun: make's are steps of the continuous
integration; Docker's two are not typed, tests/container builds the image by `make image` and runs
it with the same options."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

VARIANTS = ("plain",)

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("GRADIENTD_BUILD", os.path.join(ROOT, "build")))
README = "README.md"
PAGES = (README, "docs/tour.md", "docs/api.md", "docs/losses.md")
CLIENT = "docs/client.md"

# Commands that something else runs, or runs the like of, by their first words.
RUN_ELSEWHERE = ("make demo", "make test", "make bench", "make lint", "make image",
                 "make test-image", "docker build", "docker run")
START = "build/gradientd &"

WITH_DAEMON = """
set -e
if [ -n "${ISOLATED-}" ]; then ip link set lo up; fi
rm -f daemon.log
build/gradientd 2>daemon.log & daemon=$!
trap 'kill $daemon; wait $daemon' EXIT
for attempt in $(seq 100); do
    if grep -qs listening daemon.log; then break; fi
    sleep 0.1
done
%s
"""


def blocks(language, page=README):
    """The fenced blocks of that language, in order."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as text:
        return re.findall(r"^```%s\n(.*?)^```$" % re.escape(language), text.read(),
                          re.MULTILINE | re.DOTALL)


def is_whole(command):
    """Whether a shell would run this now, and not wait for the rest of it."""
    check = subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False)
    return check.returncode == 0


def typed(block):
    """The commands of a console block, each with the output that the block shows below it."""
    lines = block.splitlines()
    while lines:
        command = lines.pop(0)[len("$ "):]
        while not is_whole(command):
            command += "\n" + lines.pop(0)
        shown = []
        while lines and not lines[0].startswith("$ "):
            shown.append(lines.pop(0))
        yield command, "\n".join(shown)


def run(command, directory, **variables):
    """Runs a shell script where port 8080 is free whatever else this machine runs: in a network of
    its own, where the kernel gives one (to root, outside of containers)."""
    isolated = ["unshare", "--net"]
    if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode == 0:
        variables["ISOLATED"] = "1"
    else:
        isolated = []
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("GRADIENT")}
    return subprocess.run([*isolated, "bash", "-c", command], cwd=directory, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, check=False,
                          env={**environment, **variables})


class Readme(unittest.TestCase):
    """Each test has a directory of its own, where build/ is the tree under test."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="readme-")
        self.addCleanup(shutil.rmtree, self.directory)
        os.symlink(BUILD, os.path.join(self.directory, "build"))

    def test_consoles_print_what_they_show(self):
        for page in PAGES:
            with self.subTest(page=page):
                self.type_page(page)

    def type_page(self, page):
        """All consoles of a page, in one daemon's life."""
        steps = [step for block in blocks("console", page) for step in typed(block)]
        self.assertGreaterEqual(len(steps), 1)
        script = "\n".join("%s || true\necho; echo '<<end %d>>'" % (command, number)
                           for number, (command, _) in enumerate(steps))
        outcome = run(WITH_DAEMON % script, self.directory)
        printed = re.split(r"\n*<<end \d+>>\n", outcome.stdout)
        self.assertEqual(len(printed), len(steps) + 1, outcome.stdout)
        for (command, shown), found in zip(steps, printed):
            with self.subTest(command=command):
                self.assertEqual(found.strip("\n"), shown.strip("\n"))

    def test_the_c_client_compiles_and_runs(self):
        prefix = os.path.join(self.directory, "prefix")
        subprocess.run(["make", "-s", "install", "PREFIX=" + prefix], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
        program, = blocks("c", CLIENT)
        with open(os.path.join(ROOT, "client", "examples", "first_request.c"),
                  encoding="utf-8") as example:
            self.assertTrue(example.read().endswith(program), "the example is the page's program")
        with open(os.path.join(self.directory, "first_request.c"), "w", encoding="utf-8") as file:
            file.write(program)
        (command, shown), = [step for block in blocks("console c", CLIENT) for step in typed(block)]
        library = os.path.join(prefix, "lib")
        outcome = run(WITH_DAEMON % command, self.directory, LD_LIBRARY_PATH=library,
                      PKG_CONFIG_PATH=os.path.join(library, "pkgconfig"))
        self.assertEqual(outcome.stdout.strip("\n"), shown.strip("\n"))

    def test_no_command_goes_unrun(self):
        commands = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
        self.assertIn(START, commands)
        for command in commands:
            self.assertTrue(command == START or command.startswith(RUN_ELSEWHERE), command)


if __name__ == "__main__":
    unittest.main()
