"""make install into a directory of its own: a stranger's program compiles against it by pkg-config,
shared and static, and runs; make uninstall leaves nothing. What lives here knows no internals."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

VARIANTS = ("plain",)

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# ΔW of one sample is the outer product of δ and x: 10 times (1, 2).
LIBRARY_PROGRAM = r"""
#include <gradient.h>
#include <gradient_wire.h>
#include <stdio.h>

int main(void)
{
    float x[] = {1, 2}, z[] = {3}, g[] = {10};
    grad_layer layer = {.activation = grad_activation_default(GRAD_RELU),
                        .input = {x, 1, {2}},
                        .pre_activation = {z, 1, {1}},
                        .grad_output = {g, 1, {1}}};
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan;
    grad_run *run = NULL;
    if (grad_plan_create(&batch, NULL, &plan, &error) ||
        grad_run_create(plan, &run, &error) || grad_run_all(run, &error)) {
        puts(error.detail);
        return 1;
    }
    const float *dW = grad_run_reply(run)->layers->weight_delta.data;
    printf("%g %g\n", dW[0], dW[1]);
    grad_run_destroy(run);
    return 0;
}
"""

# Nothing listens on port 1: the client is to say so.
CLIENT_PROGRAM = r"""
#include <gradient_client.h>
#include <stdio.h>

int main(void)
{
    gradient_client_options options = GRADIENT_CLIENT_OPTIONS_INIT;
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client *client = NULL;
    grad_text body = {0};
    options.max_attempts = 1;
    options.total_timeout = 5;
    if (gradient_client_open("http://127.0.0.1:1", &options, &client, &error))
        return 1;
    int unreachable = gradient_client_get(client, "/livez", &body, &error) ==
                      GRADIENT_CLIENT_UNREACHABLE;
    printf("unreachable %d\n", unreachable);
    gradient_client_close(client);
    return 0;
}
"""


def run(*command, **environment):
    """A command's output; a failure shows what it printed."""
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, **environment}, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="install-"))
        cls.prefix = cls.folder / "prefix"
        cls.make("install", f"PREFIX={cls.prefix}")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @staticmethod
    def make(*arguments):
        run("make", "--no-print-directory", "-s", *arguments, MAKEFLAGS="")

    def flags(self, *packages):
        """What pkg-config says to a compiler."""
        found = run("pkg-config", "--cflags", "--libs", *packages,
                    PKG_CONFIG_PATH=str(self.prefix / "lib" / "pkgconfig"))
        return found.split()

    def compile_and_run(self, source, flags, **environment):
        program = self.folder / "program"
        (self.folder / "program.c").write_text(source)
        run("gcc", "-std=c11", "-Wall", "-Werror", "-o", str(program),
            str(self.folder / "program.c"), *flags)
        return run(str(program), **environment)

    def archives(self, packages, *libraries):
        """The flags with those libraries taken from their archives. What they need of others, their
        Requires.private names; pkg-config --static would want archives of the whole system."""
        needed = run("pkg-config", "--print-requires-private", *packages,
                     PKG_CONFIG_PATH=str(self.prefix / "lib" / "pkgconfig")).split()
        names = {f"-l{name}": str(self.prefix / "lib" / f"lib{name}.a") for name in libraries}
        found = [names.get(flag, flag) for flag in self.flags(*packages, *needed)]
        return [*found, "-lm", "-lpthread"]

    def test_shared_library(self):
        output = self.compile_and_run(LIBRARY_PROGRAM, self.flags("gradient"),
                                      LD_LIBRARY_PATH=str(self.prefix / "lib"))
        self.assertEqual(output, "10 20\n")

    def test_static_library(self):
        flags = self.archives(["gradient"], "gradient")
        self.assertEqual(self.compile_and_run(LIBRARY_PROGRAM, flags), "10 20\n")

    def test_shared_client(self):
        output = self.compile_and_run(CLIENT_PROGRAM, self.flags("gradient-client"),
                                      LD_LIBRARY_PATH=str(self.prefix / "lib"))
        self.assertEqual(output, "unreachable 1\n")

    def test_static_client(self):
        flags = self.archives(["gradient-client", "gradient"], "gradient-client", "gradient")
        self.assertEqual(self.compile_and_run(CLIENT_PROGRAM, flags), "unreachable 1\n")

    def test_programs_run_from_there(self):
        for name in ("gradientd", "gradient"):
            version = run(str(self.prefix / "bin" / name), "--version",
                          **{"LD_LIBRARY_PATH": ""})
            self.assertIn(self.version(), version)

    def version(self):
        return run("pkg-config", "--modversion", "gradient",
                   PKG_CONFIG_PATH=str(self.prefix / "lib" / "pkgconfig")).strip()

    def test_shared_object_names(self):
        for name in ("libgradient", "libgradient-client"):
            library = self.prefix / "lib" / f"{name}.so"
            soname = run("objdump", "-p", str(library.resolve()))
            self.assertIn(f"SONAME               {name}.so.{self.version().split('.')[0]}", soname)
            self.assertEqual(library.resolve().name, f"{name}.so.{self.version()}")

    def test_destdir_and_uninstall(self):
        where = (f"DESTDIR={self.folder}/stage", "PREFIX=/usr")
        self.make("install", *where)
        staged = self.folder / "stage" / "usr"
        self.assertTrue((staged / "bin" / "gradientd").exists())
        self.assertIn("prefix=/usr\n", (staged / "lib" / "pkgconfig" / "gradient.pc").read_text())
        self.make("uninstall", *where)
        left = [path for path in staged.rglob("*") if not path.is_dir()]
        self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main()
