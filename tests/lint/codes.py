"""The codes of errors: each that the sources can give a client is in the table of docs/api.md, and
each in the table is in the sources. Finds them by how the house writes a refusal: the first literal
of a call whose name says fail, refuse or reject, or what is assigned to `code`."""
import re

import files

SOURCES = ("lib/core", "lib/model", "lib/plan", "lib/gradcheck", "lib/codec", "server/net",
           "server/tls", "server/http", "server/body", "server/admission", "server/api")
API = "docs/api.md"
# Not in the table: the cap of a text, which the daemon sets beyond whatever it writes; and the end
# of a check that the daemon itself abandons, and answers otherwise.
INSIDE = {"max_text", "abandoned"}

# Refusals of one code each, whose first literal is the member that is wrong.
OF_MEMBERS = "fail_shape|fail_value"

REFUSAL = re.compile(rf"\b(?!(?:{OF_MEMBERS})\()(?:\w*_)?(?:fail|refuse|reject)(?:_\w+)?\(")
LITERAL = re.compile(r'"((?:\\.|[^"\\\n])*)"(?:\s*:\s*"([a-z_]+)")?')
ASSIGNED = re.compile(r'\bcode = "([a-z0-9_]+)"|\\"code\\":\\"([a-z_]+)\\"')
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)*")


def arguments(source, start):
    """The text from there to the parenthesis that closes the call."""
    depth = 1
    for found in re.finditer(r'"(?:\\.|[^"\\\n])*"|[()]', source[start:]):
        depth += {"(": 1, ")": -1}.get(found.group(), 0)
        if depth == 0:
            return source[start:start + found.start()]
    return source[start:]


def codes_of(source):
    """The codes in C source without comments."""
    for call in REFUSAL.finditer(source):
        literal = LITERAL.search(arguments(source, call.end()))
        for code in filter(None, literal.groups() if literal else ()):
            if CODE.fullmatch(code):
                yield code
    for assigned in ASSIGNED.finditer(source):
        yield assigned.group(1) or assigned.group(2)


def documented():
    """The codes of the table's second column."""
    rows = re.findall(r"^\| \d{3} \| (.*?) \|", files.text(API), re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`(\w+)`", row)}


def table():
    found = {}
    for name in files.c_files(*SOURCES):
        for code in codes_of(files.without_comments(files.text(name), keep_strings=True)):
            found.setdefault(code, name)
    for code in sorted(found.keys() - documented() - INSIDE):
        yield f"{found[code]}: {code} is not in the table of {API}"
    for code in sorted(documented() - found.keys()):
        yield f"{API}: nothing gives {code}"
