"""Sizes: files, lines, functions, decisions; and that each file opens by saying what it holds.
Functions of C are found by universal-ctags, their complexity by pmccabe, Python's by ast."""
import ast
import functools
import re
import statistics
import subprocess

import files

FILE_LINES = 800
LINE_COLUMNS = 100
FUNCTION_LINES = 60
COMPLEXITY = 15


def file_lengths():
    for name in files.code_files():
        lines = len(files.text(name).splitlines())
        if lines > FILE_LINES:
            yield f"{name}: {lines} lines, at most {FILE_LINES}"


def line_lengths():
    for name in files.code_files():
        for number, line in enumerate(files.text(name).splitlines(), 1):
            if len(line) > LINE_COLUMNS:
                yield f"{name}:{number}: {len(line)} columns, at most {LINE_COLUMNS}"


@functools.lru_cache(maxsize=None)
def c_functions():
    """(file, first line, lines, name) of every function of C and C++."""
    listing = subprocess.run(
        [files.need("ctags"), "-f", "-", "--sort=no", "--fields=+ne", "--kinds-C=f",
         "--kinds-C++=f", "--langmap=C:+.h", "-L", "-"],
        input="\n".join(files.c_files()), cwd=files.ROOT, text=True, capture_output=True,
        check=True)
    functions = []
    for line in listing.stdout.splitlines():
        name, file = line.split("\t")[:2]
        first = int(re.search(r"\tline:(\d+)", line).group(1))
        last = re.search(r"\tend:(\d+)", line)
        functions.append((file, first, int(last.group(1)) - first + 1 if last else 0, name))
    return tuple(functions)


def python_functions():
    for file in files.python_files():
        for node in ast.walk(ast.parse(files.text(file))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield file, node.lineno, node.end_lineno - node.lineno + 1, node.name


def function_lengths():
    for file, first, lines, name in (*c_functions(), *python_functions()):
        if lines > FUNCTION_LINES:
            yield f"{file}:{first}: {name} has {lines} lines, at most {FUNCTION_LINES}"
        if lines == 0:
            yield f"{file}:{first}: {name}: ctags found no end"


def complexities():
    """McCabe's number, every case of a switch counted."""
    listing = subprocess.run(
        [files.need("pmccabe"), *(n for n in files.c_files() if not n.endswith(".h"))],
        cwd=files.ROOT, text=True, capture_output=True, check=False)
    for line in listing.stdout.splitlines():
        columns = line.split("\t")
        if int(columns[1]) > COMPLEXITY:
            yield f"{columns[-1]}: complexity {columns[1]}, at most {COMPLEXITY}"
    yield from listing.stderr.splitlines()


def opening_comments():
    for name in files.code_files():
        source = files.text(name)
        source = source.split("\n", 1)[1] if source.startswith("#!") else source
        opening = {"c": "/*", "h": "/*", "cpp": "/*", "py": '"""'}.get(name.rsplit(".")[-1], "#")
        if not source.startswith(opening):
            yield f"{name}:1: does not open with a comment ({opening})"


def summary():
    """One line for people: how many, how long."""
    lengths = [lines for _, _, lines, _ in c_functions()]
    if not lengths:
        return "no functions of C"
    return (f"{len(lengths)} functions of C, median {statistics.median(lengths):g} lines, longest "
            f"{max(lengths)}; {len(files.code_files())} files of code")
