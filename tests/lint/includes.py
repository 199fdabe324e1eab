"""The law of dependencies: which room of the house may include what. Arrows only downwards:
core -> libc, kernels -> core, model -> kernels and core, plan -> model, kernels and core, codec ->
core and the public headers, client and server -> the public headers and their own. Inside the codec
and the server each room has arrows of its own. Tests may include anything."""
import re

import files

PUBLIC = ("gradient.h", "gradient_core.h", "gradient_network.h", "gradient_wire.h")
MATHEMATICS = ("gradient.h", "gradient_core.h", "gradient_network.h")

# The server's rooms from the ground up: each may include itself and what its row names, which
# stands above it, so that no two rooms include each other.
SERVER = {
    "platform": (),
    "config": ("platform",),
    "observe": ("platform",),
    "work": ("platform",),
    "net": ("platform", "config", "observe"),
    "access": ("platform", "config"),
    "tls": ("platform", "config", "observe"),
    "http": ("platform", "config", "observe", "work", "net", "access", "tls"),
    "body": ("platform",),
    "admission": ("platform", "config", "observe", "access", "http", "body"),
    "api": ("platform", "config", "observe", "work", "net", "tls", "http", "body"),
}
# Those that never see the library: they know nothing of gradients.
WITHOUT_LIBRARY = ("platform", "work", "net", "tls")


def _server_rows():
    """The rows of the server's rooms, and of the files that stand above them all."""
    above = []
    for room, below in SERVER.items():
        if not set(below) <= set(above):
            raise ValueError(f"{room}: {', '.join(set(below) - set(above))} is not below it")
        above.append(room)
        yield f"server/{room}/", (() if room in WITHOUT_LIBRARY else PUBLIC) + tuple(
            f"{name}/" for name in (room, *below))
    above_all = ("daemon", "confinement", "self_check", "sizing", "main")
    for name in above_all:
        yield f"server/{name}.", PUBLIC + tuple(f"{n}.h" for n in above_all) + tuple(
            f"{room}/" for room in SERVER)


# room: what a file there may include in quotes, by prefix or by name
ROOMS = {
    "lib/core/": ("core/",) + MATHEMATICS,
    "lib/kernels/": ("kernels/", "core/") + MATHEMATICS,
    "lib/model/": ("model/", "kernels/", "core/") + MATHEMATICS,
    "lib/plan/": ("plan/", "model/", "kernels/", "core/") + MATHEMATICS,
    "lib/gradcheck/": ("gradcheck/", "core/") + MATHEMATICS,
    "lib/codec/number/": ("codec/number/", "core/") + PUBLIC,
    "lib/codec/payload/": ("codec/payload/", "core/") + PUBLIC,
    "lib/codec/json/": ("codec/json/", "codec/payload/", "codec/number/", "core/") + PUBLIC,
    "lib/codec/document/": ("codec/document/", "codec/json/", "codec/payload/", "codec/number/",
                            "core/") + PUBLIC,
    "lib/gradient": PUBLIC,
    "client/": PUBLIC + ("gradient_client.h",),
    **dict(_server_rows()),
}

# a header of a library below us: the only place that may include it
OWNERS = {
    "cblas.h": "lib/kernels/gemm.c",
    "jansson.h": ("lib/codec/json/", "lib/codec/document/"),
    "curl/curl.h": "client/transport.c",
    "microhttpd.h": "server/http/",
    "gnutls/crypto.h": ("server/access/secret.c", "server/http/digest.c"),
    "seccomp.h": "server/platform/sandbox_calls.c",
    "zlib.h": ("server/body/inflate.c", "server/body/deflate.c"),
    "zstd.h": "server/body/",
    "zstd_errors.h": "server/body/",
    "gnutls/gnutls.h": ("server/tls/", "server/http/digest.c"),
    "gnutls/abstract.h": "server/tls/",
    "gnutls/x509.h": "server/tls/",
}

# what lib/ may include of the system: memory, text and threads, no files and no sockets
LIBRARY_SYSTEM = frozenset(
    "assert.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h "
    "stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h "
    "endian.h emmintrin.h immintrin.h pthread.h".split())


def _quoted(name, room, header):
    """Whether a file of that room may include "header": by the table, or as one of its own."""
    if header.startswith(ROOMS[room]) or header in ROOMS[room]:
        return True
    beside = (files.ROOT / name).parent / header
    return room == "client/" and ((files.ROOT / room / header).exists() or beside.exists())


def _bracketed(name, header):
    owner = OWNERS.get(header)
    if owner:
        return name.startswith(owner)
    return not name.startswith("lib/") or header in LIBRARY_SYSTEM


def law():
    """Every include of lib/, client/ and server/ against the two tables."""
    for name in files.c_files("lib", "client", "server"):
        room = next((room for room in ROOMS if name.startswith(room)), None)
        if room is None:
            yield f"{name}: no room of the house; the rooms are {', '.join(ROOMS)}"
            continue
        source = files.without_comments(files.text(name), keep_strings=True)
        for number, line in enumerate(source.splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if found is None:
                continue
            header = found.group(2)
            allowed = (_quoted(name, room, header) if found.group(1) == '"'
                       else _bracketed(name, header))
            if not allowed:
                yield f"{name}:{number}: {room} may not include {header}"
