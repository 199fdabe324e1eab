#!/usr/bin/python3
"""The rules of the house, held by a machine: prints one line a rule and what to do where one is
broken, ends with the totals. `make lint` builds the libraries first and runs it.
What lives here: the list of rules and the counting. Each rule lives in a module beside this one,
is a generator of problems ("file:line: what is wrong"), and may raise Skipped with the reason."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
from files import Skipped  # noqa: E402
from results import Totals  # noqa: E402
import codes  # noqa: E402
import dialect  # noqa: E402
import docstrings  # noqa: E402
import findings  # noqa: E402
import formulas  # noqa: E402
import includes  # noqa: E402
import kinds  # noqa: E402
import mutants  # noqa: E402
import seeded  # noqa: E402
import shape  # noqa: E402
import symbols  # noqa: E402
import tables  # noqa: E402
import tools  # noqa: E402
import words  # noqa: E402

RULES = (
    ("law of includes", includes.law, "see the table in tests/lint/includes.py: move the code to "
     "the room that may know of it"),
    ("kinds of layers", kinds.named, "ask grad_layer_info what the kind has"),
    ("defaults of switches", kinds.defaults, "write a case for each constant"),
    ("file length", shape.file_lengths, "split the file by concept"),
    ("line length", shape.line_lengths, "wrap the line"),
    ("function length", shape.function_lengths, "split the function"),
    ("cyclomatic complexity", shape.complexities, "split the function by decision"),
    ("opening comments", shape.opening_comments, "say what the file is"),
    ("public docstrings", docstrings.public, "say what it does: shapes, errors, ownership, "
     "threads"),
    ("pointers", dialect.pointers, "compare with NULL"),
    ("lengths of arrays", dialect.lengths, "sizeof a / sizeof *a"),
    ("files in comments", dialect.comments, "docs/architecture.md says what is where"),
    ("white space", words.white_space, "no tabs outside makefiles, no blanks at the end of a line"),
    ("calls banned everywhere", words.calls_anywhere, "use the bounded, thread-safe call"),
    ("calls banned in lib/", words.calls_in_library, "the library returns a status, always"),
    ("banned words", words.banned, "finish it or take it out"),
    ("error codes", codes.table, "the sources and the table of docs/api.md name the same codes"),
    ("tables of the pages", tables.current, "make docs"),
    ("tables in the pages", tables.complete, "give the topic its two marks in a page: make docs"),
    ("metrics of the alerts", tables.alerts, "gradientd --describe metrics has those there are"),
    ("formulas", formulas.tested, "name the test that holds the formula, as it is called now"),
    ("findings", findings.indexed, "line 2 of a finding is its title; the index repeats it"),
    ("conventions", findings.conventions, "name the finding and the test that hold the row"),
    ("threats", findings.threats, "name the tests that show what stops each threat"),
    ("mutants", mutants.current, "mend the list in tests/mutation: its old text is gone"),
    ("format", tools.clang_format, "clang-format-14 -i FILE"),
    ("cppcheck", tools.cppcheck, "mend it, or suppress it inline and say why"),
    ("shellcheck", tools.shellcheck, "mend it, or disable it inline and say why"),
    ("exported symbols", symbols.exported, "GRAD_API stands in the public headers and only there"),
    ("names of symbols", symbols.prefixes, "everything that isn't static carries the prefix"),
    ("mutable globals", symbols.mutable_globals, "hold the state in an object of the caller"),
    ("rules that bite", seeded.rules, "a rule found nothing in a file made to break it"),
)


def check(name, rule, remedy):
    """Runs one rule and prints what it found."""
    try:
        problems = list(rule())
    except Skipped as reason:
        print(f"skipped {name}: {reason}")
        return Totals(skipped=1)
    if not problems:
        print(f"ok      {name}")
        return Totals(passed=1)
    print(f"FAILED  {name}")
    for problem in problems:
        print(f"        {problem}")
    print(f"        to do: {remedy}")
    return Totals(failed=1)


def main():
    totals = Totals()
    for rule in RULES:
        totals += check(*rule)
    print(shape.summary())
    print(totals)
    sys.exit(0 if totals.failed == 0 else 1)


if __name__ == "__main__":
    main()
