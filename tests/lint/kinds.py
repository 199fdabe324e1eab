"""The kinds of layers are named in lib/model and in the public header only: whoever else needs to
tell them apart asks what a kind has (grad_layer_info), so that a new kind changes nothing there.
No switch over an enumeration has a default, which would take a new constant for an old one in
silence: without it the compiler names each constant that is missing (-Wswitch)."""
import pathlib
import re

import files

HEADER = pathlib.Path(__file__).resolve().parents[2] / "lib" / "gradient.h"
EXEMPT = ("lib/model/", "lib/gradient.h", "client/examples/")


def _constants():
    """GRAD_DENSE and its like, from the header's list."""
    listed = re.search(r"#define GRAD_LAYER_KINDS\(X\)(.*?)\n\n", HEADER.read_text(), re.S).group(1)
    return ["GRAD_" + name for name in re.findall(r"X\((\w+),", listed)]


def named():
    pattern = re.compile(r"\b(" + "|".join(_constants()) + r")\b")
    for name in files.c_files("lib", "client", "server"):
        if name.startswith(EXEMPT):
            continue
        source = files.without_comments(files.text(name))
        for number, line in enumerate(source.splitlines(), 1):
            for constant in pattern.findall(line):
                yield f"{name}:{number}: {constant}"


def _block(source, begin):
    """The text between the brace at or behind begin and its partner."""
    depth = 0
    begin = source.index("{", begin)
    for at in range(begin, len(source)):
        depth += {"{": 1, "}": -1}.get(source[at], 0)
        if depth == 0:
            return source[begin:at]
    return source[begin:]


def defaults():
    """A default may stand in switches over characters and other numbers."""
    for name in files.c_files("lib", "client", "server"):
        source = files.without_comments(files.text(name))
        for switch in re.finditer(r"\bswitch \(", source):
            block = _block(source, switch.start())
            labels = re.findall(r"\bcase ([^\n]+?):", block)
            if re.search(r"\bdefault:", block) and not any(re.match(r"['\d-]", v) for v in labels):
                number = source.count("\n", 0, switch.start()) + 1
                yield f"{name}:{number}: a switch over an enumeration has a default"
