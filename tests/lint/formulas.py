"""docs/mathematics.md against the tests: each section names tests, each of its blocks of formulae
has one behind it, and each test that is named exists. A reference is a paragraph of its own:

    Tested by `tests/unit/test_dense.c`: `products_are_right`, `another`; `tests/x.py`: `test_y`.

It answers for the blocks above it, back to the reference before or the section's beginning."""
import re

import files

PAGE = "docs/mathematics.md"
REFERENCE = "Tested by "
NAMED = re.compile(r"`([\w./]+)`")
# What makes a name a test: of C where it is listed, of Python where it is defined.
DEFINITIONS = {".c": r"\bcmocka_unit_test\w*\({}\b", ".py": r"^(?:    )?def {}\("}

# Pages that the rule must not be content with.
BROKEN_PAGES = (
    "# M\n\n## A\n\n    y = f(z)\n",
    "# M\n\n## A\n\n    y = z\n\nTested by `tests/unit/test_a.c`.\n",
    "# M\n\n## A\n\n    y = z\n\nTested by `tests/unit/test_no.c`: `no_such_test`.\n",
    "# M\n\n## A\n\nTested by nobody.\n",
    "# M\n\n## A\n\nA section without a formula.\n",
)


def paragraphs(text):
    """(line number, paragraph) of each, separated by empty lines."""
    number = 1
    for paragraph in text.split("\n\n"):
        if paragraph.strip():
            yield number + len(paragraph) - len(paragraph.lstrip("\n")), paragraph.strip("\n")
        number += paragraph.count("\n") + 2


def references(paragraph):
    """(file, test) of a reference; test is None where a file comes without one."""
    file, found = None, []
    for name in NAMED.findall(paragraph):
        if "/" in name:
            file = name
            found.append((file, None))
        elif file is not None:
            found.append((file, name))
    with_tests = {file for file, test in found if test}
    return [(file, test) for file, test in found if test or file not in with_tests]


def exists(file, test):
    path = files.ROOT / file
    definition = DEFINITIONS.get(path.suffix)
    if definition is None or not path.is_file():
        return False
    return re.search(definition.replace("{}", re.escape(test)),
                     path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def wrong_references(number, paragraph):
    named = references(paragraph)
    if not named:
        yield f"{PAGE}:{number}: names no test"
    for file, test in named:
        if test is None:
            yield f"{PAGE}:{number}: names no test of {file}"
        elif not exists(file, test):
            yield f"{PAGE}:{number}: there is no {test} in {file}"


def untested_blocks(numbered):
    """Blocks with no reference behind them in their section, which ends at any heading."""
    open_block = None
    for number, paragraph in [*numbered, (0, "# end")]:
        if paragraph.startswith("#") and open_block:
            yield f"{PAGE}:{open_block}: no test is named for this block"
        if paragraph.startswith(("#", REFERENCE)):
            open_block = None
        elif paragraph.startswith("    "):
            open_block = open_block or number


def untested_sections(numbered):
    """Sections (##, with all that is below them) without a reference."""
    heading = None
    for number, paragraph in [*numbered, (0, "## end")]:
        if paragraph.startswith("## "):
            if heading:
                yield f"{PAGE}:{heading}: no test is named in this section"
            heading = number
        elif paragraph.startswith(REFERENCE):
            heading = None


def tested():
    """Every block and every section has a reference; every reference holds."""
    if not (files.ROOT / PAGE).is_file():
        yield f"{PAGE}: there is none"
        return
    numbered = list(paragraphs(files.text(PAGE)))
    yield from untested_sections(numbered)
    yield from untested_blocks(numbered)
    for number, paragraph in numbered:
        if paragraph.startswith(REFERENCE):
            yield from wrong_references(number, paragraph)
