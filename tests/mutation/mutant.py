"""What a mutant is: one place of the sources, changed so that an answer goes wrong, and the tests
that must see it. What lives here: the type, and whether the lists still fit today's sources. The
lists are in list_*.py beside this file; who applies them is mutate.py."""
import collections
import dataclasses
import importlib
import pathlib

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Mutant:
    """In file, old stands exactly once; with new in its place one of the tests must fail. A test is
    a program of tests/unit ("test_dense") or a Python file ("integration/test_backprop.py")."""

    what: str
    file: str
    old: str
    new: str
    tests: tuple

    def __str__(self):
        return f"{pathlib.Path(self.file).name}: {self.what}"


def of(file, tests, *changes):
    """Mutants of one file: each change is (what, old, new), and may name tests of its own."""
    return [Mutant(what, file, old, new, tuple((own[0] if own else tests).split()))
            for what, old, new, *own in changes]


def every():
    """All mutants, in the order of the lists' names."""
    mutants = []
    for path in sorted(HERE.glob("list_*.py")):
        mutants += importlib.import_module(path.stem).MUTANTS
    return mutants


def source_of(test):
    """Where the tree keeps that test."""
    return f"tests/{test}" if test.endswith(".py") else f"tests/unit/{test}.c"


def problems_of(mutant, root):
    """Why this mutant cannot be applied to the tree at root."""
    path = root / mutant.file
    count = path.read_text(encoding="utf-8").count(mutant.old) if path.is_file() else None
    if count is None:
        yield f"{mutant}: there is no {mutant.file}"
    elif count != 1:
        yield f"{mutant}: its old text stands {count} times in {mutant.file}: {mutant.old!r}"
    if mutant.old == mutant.new:
        yield f"{mutant}: changes nothing"
    if not mutant.tests:
        yield f"{mutant}: no test is to see it"
    for test in mutant.tests:
        if not (root / source_of(test)).is_file():
            yield f"{mutant}: there is no {source_of(test)}"


def problems(root, mutants=None):
    """Why today's sources and the lists do not fit; nothing where they do."""
    mutants = every() if mutants is None else mutants
    for mutant in mutants:
        yield from problems_of(mutant, root)
    for name, count in collections.Counter(map(str, mutants)).items():
        if count > 1:
            yield f"{name}: {count} mutants have this name"
