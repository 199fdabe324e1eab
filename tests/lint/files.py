"""The files of the project, by kind, and their text. Nothing here judges."""
import functools
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("GRADIENTD_BUILD", ROOT / "build"))


class Skipped(Exception):
    """A rule that can't be checked on this machine, and why."""


@functools.lru_cache(maxsize=None)
def tracked():
    """Every file that is, or would be, in the repository; all but build/ where there is no git."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=False) if (ROOT / ".git").exists() and \
        shutil.which("git") else None
    if listing is not None and listing.returncode == 0:
        names = [name for name in listing.stdout.split("\0") if name]
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                 if path.relative_to(ROOT).parts[0] not in ("build", ".git")
                 and "__pycache__" not in path.parts]
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def text(name, errors="strict"):
    """A file's text."""
    return (ROOT / name).read_text(encoding="utf-8", errors=errors)


def c_files(*folders):
    """The C and C++ sources and headers, of those folders or of all."""
    return [name for name in tracked() if name.endswith((".c", ".h", ".cpp"))
            and (not folders or name.startswith(tuple(f"{folder}/" for folder in folders)))]


def python_files():
    return [name for name in tracked() if name.endswith(".py")]


def shell_files():
    return [name for name in tracked() if name.endswith(".sh") or _is_shell(name)]


def _is_shell(name):
    if pathlib.Path(name).suffix:
        return False
    with open(ROOT / name, "rb") as file:
        return re.match(rb"#!.*\b(ba|da)?sh\b", file.readline()) is not None


def other_code():
    """Makefiles, the Dockerfile and YAML."""
    return [name for name in tracked() if name.endswith((".mk", ".yaml", ".yml"))
            or pathlib.Path(name).name in ("Makefile", "Dockerfile")]


def code_files():
    return c_files() + python_files() + shell_files() + other_code()


def without_comments(source, keep_strings=False):
    """C source with comments, and the insides of strings, blanked; its lines stay in place."""
    def blank(match):
        found = match.group()
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found if keep_strings else found[0] + " " * (len(found) - 2) + found[-1]
    return re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, source,
                  flags=re.DOTALL)


def need(*programs):
    """The first of these programs that is installed."""
    for program in programs:
        if shutil.which(program):
            return program
    raise Skipped(f"{programs[0]} is not installed here")
