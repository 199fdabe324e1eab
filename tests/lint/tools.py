"""The checkers that others wrote: clang-format, cppcheck, shellcheck. Their options live here."""
import os
import subprocess

import files


def _run(command):
    """A checker's complaints, line by line; none where it is content."""
    done = subprocess.run(command, cwd=files.ROOT, text=True, capture_output=True, check=False)
    if done.returncode == 0:
        return []
    return (done.stdout + done.stderr).splitlines() or [f"{command[0]}: exit {done.returncode}"]


def clang_format():
    """Versions disagree, so one is law: 14, which is Debian 12's. Debian 13 does not have it."""
    program = files.need("clang-format-14")
    places = {}
    for line in _run([program, "--dry-run", "-Werror", *files.c_files()]):
        if ": error: " in line:
            name, number = line.split(":")[:2]
            places.setdefault(name, []).append(number)
    for name, numbers in places.items():
        yield f"{name}: lines {', '.join(numbers[:12])}{' ...' if numbers[12:] else ''}"


def cppcheck():
    """What is shipped; the macros of test frameworks mean other things to each version of it."""
    program = files.need("cppcheck")
    sources = [name for name in files.c_files("lib", "server", "client") if name.endswith(".c")]
    yield from _run([
        program, "--enable=warning,performance,portability", "--error-exitcode=1", "--quiet",
        "--inline-suppr", "--std=c11", "-D_GNU_SOURCE", "-Ilib", "-Iserver", "-Iclient",
        "--suppress=missingIncludeSystem", "--suppress=normalCheckLevelMaxBranches",
        "-j", str(os.cpu_count() or 1), *sources])


def shellcheck():
    yield from _run([files.need("shellcheck"), "-x", *files.shell_files()])
