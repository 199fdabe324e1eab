"""What must not stand in the text: calls that are unsafe or not for a library, unfinished work,
paths and hosts of one machine. The lists live here, so this file alone is exempt from them."""
import re

import files

ANYWHERE = """strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof alloca rand srand
    setlocale gmtime localtime ctime asctime tmpnam mktemp""".split()
# What <unistd.h>, <fcntl.h>, <signal.h> and <time.h> declare, the law of includes keeps out.
LIBRARY = """printf fprintf vprintf vfprintf puts fputs putchar fputc putc fwrite perror fopen exit
    _exit quick_exit abort assert getenv secure_getenv setenv system srandom random""".split()

BANNED = (
    (r"\b(TODO|FIXME|XXX|HACK)\b", "unfinished work"),
    (r"(?<![\w.])/(home|work|root|Users)/", "a path of one machine"),
    (r"\b(deb\.debian\.org|pypi\.org|registry\.npmjs\.org|docker\.io/)", "a host of a registry"),
)
EXEMPT = ("tests/lint/words.py",)


def _calls(names, banned):
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(")
    for name in names:
        source = files.without_comments(files.text(name))
        for number, line in enumerate(source.splitlines(), 1):
            for call in pattern.findall(line):
                yield f"{name}:{number}: {call}()"


def calls_anywhere():
    yield from _calls(files.c_files("lib", "client", "server"), ANYWHERE)


def calls_in_library():
    yield from _calls(files.c_files("lib"), LIBRARY)


def banned():
    for name in files.tracked():
        if name in EXEMPT or name.endswith((".gz", ".csv")):
            continue
        for number, line in enumerate(files.text(name, errors="replace").splitlines(), 1):
            for pattern, what in BANNED:
                found = re.search(pattern, line)
                if found:
                    yield f"{name}:{number}: {found.group()}: {what}"


def white_space():
    for name in files.code_files():
        source = files.text(name)
        tabs_allowed = name.endswith((".mk", "Makefile"))
        for number, line in enumerate(source.splitlines(), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: blanks at the end"
            if "\t" in line and not tabs_allowed:
                yield f"{name}:{number}: a tab"
        if source and not source.endswith("\n"):
            yield f"{name}: no newline at the end"
