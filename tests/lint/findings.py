"""findings/: each script has the title that the index of its README gives it, opens as a finding
does, and the index lists no other; docs/conventions.md names a finding and a test in every row.
What they show is theirs; nothing here runs one."""
import re

import files
import formulas

PAGE = "docs/conventions.md"
FOLDER = "findings/"
INDEX = FOLDER + "README.md"
ENTRY = re.compile(r"^- `(\w+)\.sh`: (.+)$", re.MULTILINE)

# Folders that the rule must not be content with.
BROKEN = (
    (FOLDER + "a.sh", "#!/bin/sh\n# A title\n# Version: 1.\nset -eu\n"),
    (FOLDER + "a.sh", "#!/bin/sh\nset -eu\n"),
    (INDEX, "- `a.sh`: A title\n"),
)


# Pages that the rule of conventions must not be content with.
BROKEN_PAGES = (
    "# C\n\n| a | b | c | `findings/a.sh` | `tests/integration/test_a.py`: `test_a` |\n",
    "# C\n\n| a | b | c | nowhere | nobody |\n",
    "# C\n\nNo table.\n",
)


def conventions():
    """Every row of docs/conventions.md names a finding and a test that exist."""
    rows = [(number, line) for number, line in enumerate(
        (files.text(PAGE) if PAGE in files.tracked() else "").splitlines(), 1)
        if line.startswith("| ") and not line.startswith("| what |")]
    if not rows:
        yield f"{PAGE}: there is no table"
    for number, line in rows:
        finding = re.search(r"\| `(findings/\w+\.sh)` \|", line)
        tests = [pair for pair in formulas.references(line) if pair[1]
                 and pair[0].startswith("tests/")]
        if finding is None or finding.group(1) not in files.tracked():
            yield f"{PAGE}:{number}: names no finding that exists"
        if not tests or not all(formulas.exists(*pair) for pair in tests):
            yield f"{PAGE}:{number}: names no test that exists"


def threats():
    """Every row of the threat table of SECURITY.md names tests that exist."""
    rows = [(number, line) for number, line in enumerate(files.text("SECURITY.md").splitlines(), 1)
            if line.startswith("| ") and not line.startswith("| who |")]
    if not rows:
        yield "SECURITY.md: there is no table"
    for number, line in rows:
        cell = line.rstrip("| ").rsplit(" | ", 1)[-1]
        named = formulas.references(cell)
        if not named or not all(test is not None for _, test in named):
            yield f"SECURITY.md:{number}: names no test"
        for file, test in named:
            if test is not None and not formulas.exists(file, test):
                yield f"SECURITY.md:{number}: there is no {test} in {file}"


def scripts():
    """name: text of each finding."""
    return {name[len(FOLDER):-len(".sh")]: files.text(name) for name in files.tracked()
            if re.fullmatch(FOLDER + r"\w+\.sh", name)}


def indexed():
    found = scripts()
    entries = dict(ENTRY.findall(files.text(INDEX))) if INDEX in files.tracked() else {}
    for name, text in sorted(found.items()):
        lines = [*text.splitlines(), "", ""]
        if not lines[1].startswith("# ") or "set -eu" not in lines:
            yield f"{FOLDER}{name}.sh: line 2 is not its title, or `set -eu` is missing"
        elif entries.get(name) != lines[1][2:]:
            yield f"{INDEX}: no line reads: - `{name}.sh`: {lines[1][2:]}"
    for name in sorted(entries.keys() - found.keys()):
        yield f"{INDEX}: there is no {name}.sh"
