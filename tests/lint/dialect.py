"""The dialect of C: pointers are compared with NULL, an array's length is `sizeof a / sizeof *a`,
no comment names another .c file. That declarations come first is the compiler's to say."""
import re

import files
import symbols

ROOMS = ("lib", "server", "client")
# One function of C as clang-format leaves it: its head from the first column, and its body.
FUNCTION = re.compile(r"^[a-z][^;{}]*?\)\n\{\n.*?^\}", re.MULTILINE | re.DOTALL)
POINTER = re.compile(r"\b(?!return\b|sizeof\b|else\b|case\b)\w+ \*+(?:const )?(\w+)"
                     r"(?= [=*:]|[,;)\[])")
TRUTH = (r"!{0}\b(?! ?(?:->|[.\[(]))|\b(?:if|while) \({0}(?:\)| &&| \|\|)"
         r"|(?:&&|\|\|) {0}(?= (?:&&|\|\||\?)|[);])")


def pointers():
    """Pointers that are asked for their truth, as far as their function declares them."""
    for name in files.c_files(*ROOMS):
        source = files.without_comments(files.text(name))
        for function in FUNCTION.finditer(source):
            body = function.group()
            for pointer in sorted(set(POINTER.findall(body))):
                for found in re.finditer(TRUTH.format(pointer), body, re.MULTILINE):
                    line = source.count("\n", 0, function.start() + found.start()) + 1
                    yield f"{name}:{line}: {pointer} is a pointer: compare it with NULL"


def lengths():
    for name in files.c_files(*ROOMS):
        for number, line in enumerate(files.text(name).splitlines(), 1):
            if re.search(r"/ sizeof \(?[\w.>-]+\)?\[0\]", line):
                yield f"{name}:{number}: an array's length is sizeof a / sizeof *a"


def comments():
    """The public headers may name the program of their reader."""
    public = {header for headers, _ in symbols.LIBRARIES.values() for header in headers}
    for name in sorted(set(files.c_files(*ROOMS)) - public):
        for found in re.finditer(r"/\*.*?\*/", files.text(name), re.DOTALL):
            other = re.search(r"\b\w+\.c\b|\blives? here\b", found.group())
            if other:
                line = files.text(name).count("\n", 0, found.start() + other.start()) + 1
                yield f"{name}:{line}: {other.group()} in a comment: say what this file is"
