"""What the built libraries hold: exported names against the public headers, the prefix of what a
static library adds to a program's names, and that libgradient has no variable of its own.
Reads the libraries in build/ with nm and size; nothing is built here."""
import re
import subprocess

import files

# library: its public headers, the prefixes of every name in it
LIBRARIES = {
    "libgradient": (("lib/gradient.h", "lib/gradient_core.h", "lib/gradient_network.h",
                     "lib/gradient_wire.h"), ("grad_",)),
    "libgradient-client": (("client/gradient_client.h",), ("gradient_client_", "client_")),
}


def _built(name):
    path = files.BUILD / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built; run make lint")
    return str(path)


def _output(*command):
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def declared(header):
    """The names that a header marks GRAD_API."""
    source = re.sub(r"^\s*#.*(?:\\\n.*)*", "", files.without_comments(files.text(header)),
                    flags=re.MULTILINE)
    return set(re.findall(r"\bGRAD_API\b[^;(]*?(\w+)\s*\(", source))


def exported():
    for library, (headers, _) in LIBRARIES.items():
        shared = sorted(files.BUILD.glob(f"{library}.so.*.*"))
        if not shared:
            yield f"{files.BUILD / library}.so.* is not built; run make lint"
            continue
        wanted = set().union(*map(declared, headers))
        listing = _output("nm", "-D", "--defined-only", "--format=posix", str(shared[-1]))
        found = {line.split()[0].split("@")[0] for line in listing.splitlines()}
        for name in sorted(wanted - found):
            yield f"{name} is declared GRAD_API but {shared[-1].name} does not export it"
        for name in sorted(found - wanted):
            yield f"{name} is exported by {shared[-1].name} but no public header declares it"


def prefixes():
    for library, (_, allowed) in LIBRARIES.items():
        listing = _output("nm", "--defined-only", "--extern-only", "--format=posix",
                          _built(f"{library}.a"))
        for line in listing.splitlines():
            if re.match(r"\S+ [A-Z]", line) and not line.startswith(allowed):
                yield f"{library}.a: {line.split()[0]} should start with {' or '.join(allowed)}"


def mutable_globals():
    member = ""
    for line in _output("size", "-A", "-d", _built("libgradient.a")).splitlines():
        member = line.split()[0] if "(ex " in line else member
        found = re.match(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)\S*\s+(\d+)", line)
        if found and int(found.group(2)):
            yield f"libgradient.a: {member} has {found.group(2)} bytes in .{found.group(1)}"
