"""The kinds of layers are named in lib/model and in the public header only: whoever else needs to
tell them apart asks what a kind has (grad_layer_info), so that a new kind changes nothing there."""
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
