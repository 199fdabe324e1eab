#!/usr/bin/python3
"""The tables of the pages that the daemon prints: `gradientd --describe TOPIC` against what stands
between the two marks

    <!-- gradientd --describe layers -->
    <!-- end -->

`make docs` runs this file, which writes them."""
import re
import subprocess

import files

BLOCK = re.compile(r"^<!-- gradientd --describe (\w*) -->\n(.*?)^<!-- end -->$",
                   re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^<!-- (gradientd --describe\b.*|end) -->$", re.MULTILINE)
HEADING = re.compile(r"^## (\w+)$", re.MULTILINE)

# Pages that the rule must not be content with.
BROKEN_PAGES = (
    "# A\n\n<!-- gradientd --describe limits -->\n| limit | default |\n<!-- end -->\n",
    "# A\n\n<!-- gradientd --describe nothing -->\n<!-- end -->\n",
    "# A\n\n<!-- gradientd --describe limits -->\n",
)


def _printed(*topic):
    """What the built daemon prints; None where it knows no such topic."""
    daemon = files.BUILD / "gradientd"
    if not daemon.exists():
        raise FileNotFoundError(f"{daemon} is not built; run make lint")
    done = subprocess.run([str(daemon), "--describe", *topic], text=True, capture_output=True,
                          check=False)
    return done.stdout if done.returncode == 0 else None


def _pages():
    return [name for name in files.tracked() if name.endswith(".md")]


def current():
    """Each block is as the daemon prints it, and each mark belongs to a block."""
    for name in _pages():
        text = files.text(name)
        blocks = list(BLOCK.finditer(text))
        if len(MARK.findall(text)) != 2 * len(blocks):
            yield f"{name}: a mark of a table without the other"
        for block in blocks:
            line = text.count("\n", 0, block.start()) + 1
            table = _printed(block.group(1))
            if table is None:
                yield f"{name}:{line}: gradientd --describe knows no {block.group(1)}"
            elif table != block.group(2):
                yield f"{name}:{line}: not what gradientd --describe {block.group(1)} prints"


def complete():
    """Each topic of the daemon stands in a page."""
    held = {block.group(1) for name in _pages() for block in BLOCK.finditer(files.text(name))}
    for topic in HEADING.findall(_printed() or ""):
        if topic not in held:
            yield f"no page holds the table of gradientd --describe {topic}"


def alerts():
    """Each metric that an alert stands on is one of the daemon's, or Prometheus's own."""
    known = set(re.findall(r"^\| `(\w+)` \|", _printed("metrics") or "", re.MULTILINE))
    known |= {name + suffix for name in known for suffix in ("_bucket", "_sum", "_count")} | {"up"}
    for name in files.tracked():
        if not re.match(r"deploy/alerts/.*\.yaml$", name):
            continue
        text = re.sub(r'"[^"\n]*"|#.*', "", files.text(name))
        for found in sorted(set(re.findall(r"\b(?:gradientd|process|up)\w*(?=\b[{\[ )])", text))):
            if found not in known and f"name: {found}" not in text:
                yield f"{name}: gradientd has no metric {found}"


def write():
    """Puts what the daemon prints into the pages."""
    for name in _pages():
        text = files.text(name)
        new = BLOCK.sub(lambda block: f"<!-- gradientd --describe {block.group(1)} -->\n"
                        f"{_printed(block.group(1)) or block.group(2)}<!-- end -->", text)
        if new != text:
            (files.ROOT / name).write_text(new, encoding="utf-8")
            print(name)


if __name__ == "__main__":
    write()
