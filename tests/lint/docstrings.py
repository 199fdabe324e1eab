"""The public headers are the manual: each function and type that one declares stands right behind a
comment of its own. What a docstring says is for people to judge, not for this."""
import re

import files
import symbols

DECLARATION = re.compile(r"(?:GRAD_API|typedef|struct|enum|union)\b")
RULER = re.compile(r"/\* -{4} .* -{4,} \*/$")
NAME = re.compile(r"(\w+)(?= ?[({;]|$)")


def _is_docstring(line):
    """Whether a comment ends there that isn't the heading of a section."""
    return line.endswith("*/") and not RULER.match(line)


def public():
    headers = {header for headers, _ in symbols.LIBRARIES.values() for header in headers}
    for name in sorted(headers & set(files.tracked())):
        lines = files.text(name).splitlines()
        for number, (before, line) in enumerate(zip(lines, lines[1:]), 2):
            if DECLARATION.match(line) and not _is_docstring(before):
                yield f"{name}:{number}: {NAME.search(line).group()} has no docstring"
