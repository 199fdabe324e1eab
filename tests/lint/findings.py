"""findings/: each script has the title that the index of its README gives it, opens as a finding
does, and the index lists no other. What they show is theirs; nothing here runs one."""
import re

import files

FOLDER = "findings/"
INDEX = FOLDER + "README.md"
ENTRY = re.compile(r"^- `(\w+)\.sh`: (.+)$", re.MULTILINE)

# Folders that the rule must not be content with.
BROKEN = (
    (FOLDER + "a.sh", "#!/bin/sh\n# A title\n# Version: 1.\nset -eu\n"),
    (FOLDER + "a.sh", "#!/bin/sh\nset -eu\n"),
    (INDEX, "- `a.sh`: A title\n"),
)


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
