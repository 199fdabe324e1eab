"""Files made to break the rules, to see that each rule still bites: they are written to a temporary
directory, never kept. A rule that finds nothing in its file is itself the problem."""
import pathlib
import tempfile

import codes
import dialect
import docstrings
import files
import findings
import formulas
import includes
import kinds
import mutants
import shape
import symbols
import tables
import tools
import words

OPEN = "/* A file of the lint's own test. */\n"
LONG_FUNCTION = "int f(int x)\n{\n" + "    x++;\n" * 60 + "    return x;\n}\n"
DECISIONS = "int f(int x)\n{\n" + "    if (x) { x--; }\n" * 15 + "    return x;\n}\n"

# rule, file, text
SEEDS = (
    (includes.law, "lib/core/a.c", OPEN + '#include "codec/json/scanner.h"\n'),
    (includes.law, "lib/core/a.c", OPEN + "#include <unistd.h>\n"),
    (includes.law, "lib/plan/a.c", OPEN + '#include "codec/json/scanner.h"\n'),
    (includes.law, "lib/codec/document/a.c", OPEN + '#include "plan/plan.h"\n'),
    (includes.law, "lib/codec/json/a.c", OPEN + '#include "codec/document/document.h"\n'),
    (includes.law, "lib/codec/number/a.c", OPEN + '#include "codec/json/scanner.h"\n'),
    (includes.law, "lib/codec/number/a.c", OPEN + "#include <jansson.h>\n"),
    (includes.law, "lib/codec/a.c", OPEN),
    (includes.law, "lib/kernels/dense.c", OPEN + "#include <cblas.h>\n"),
    (includes.law, "lib/plan/a.c", OPEN + "#include <jansson.h>\n"),
    (includes.law, "client/a.c", OPEN + '#include "core/size.h"\n'),
    (includes.law, "client/a.c", OPEN + "#include <curl/curl.h>\n"),
    (includes.law, "server/http/a.c", OPEN + '#include "plan/plan.h"\n'),
    (includes.law, "server/http/a.c", OPEN + '#include "gradient_client.h"\n'),
    (includes.law, "server/http/a.c", OPEN + '#include "api/handlers.h"\n'),
    (includes.law, "server/net/a.h", OPEN + '#include "http/service.h"\n'),
    (includes.law, "server/platform/a.h", OPEN + '#include "gradient.h"\n'),
    (includes.law, "server/api/a.c", OPEN + "#include <microhttpd.h>\n"),
    (includes.law, "server/a.c", OPEN),
    (includes.law, "server/other/a.c", OPEN),
    (includes.law, "lib/other/a.c", OPEN),
    (kinds.named, "lib/plan/a.c", OPEN + "int x = GRAD_BATCH_NORM;\n"),
    (kinds.defaults, "lib/core/a.c", OPEN + "int f(int x)\n{\n    switch (x) {\n    case GRAD_A:\n"
     "        return 1;\n    default:\n        return 0;\n    }\n}\n"),
    (shape.file_lengths, "lib/core/a.h", OPEN + "\n" * 800),
    (shape.line_lengths, "lib/core/a.h", OPEN + "/*" + " " * 98 + "*/\n"),
    (shape.function_lengths, "lib/core/a.c", OPEN + LONG_FUNCTION),
    (shape.function_lengths, "tests/a.py", "def f():\n" + "    pass\n" * 60),
    (shape.complexities, "lib/core/a.c", OPEN + DECISIONS),
    (shape.opening_comments, "lib/core/a.c", "int x;\n"),
    (shape.opening_comments, "tests/a.py", "import os\n"),
    (docstrings.public, "lib/gradient.h", OPEN + "\nGRAD_API int f(void);\n"),
    (docstrings.public, "lib/gradient.h", OPEN + "/* Two. */\nGRAD_API int f(void);\n"
     "GRAD_API const char *g(void);\n"),
    (docstrings.public, "lib/gradient.h", OPEN + "/* ---- A ---- */\ntypedef struct x x;\n"),
    (docstrings.public, "client/gradient_client.h", OPEN + "\ntypedef enum x {\n    A\n} x;\n"),
    *((dialect.pointers, "lib/core/a.c", OPEN + "int f(const char *p)\n{\n" + line + "\n}\n")
      for line in ("    return !p;", "    if (p)\n        return 1;", "    return 1 && p;")),
    (dialect.lengths, "lib/core/a.c", OPEN + "int n = sizeof a / sizeof a[0];\n"),
    (dialect.comments, "server/a.c", OPEN + "/* See b.c. */\n"),
    (dialect.comments, "client/a.c", OPEN + "/* What lives here. */\n"),
    (words.white_space, "lib/core/a.c", OPEN + "int x; \n"),
    (words.white_space, "lib/core/a.c", OPEN + "\tint x;\n"),
    (words.calls_anywhere, "server/a.c", OPEN + "void f(char *s) { strcpy(s, s); }\n"),
    (words.calls_in_library, "lib/core/a.c", OPEN + 'void f(void) { printf("x"); }\n'),
    (codes.table, "docs/api.md", "| 422 | `no_such_code` | never |\n"),
    *((formulas.tested, formulas.PAGE, page) for page in formulas.BROKEN_PAGES),
    *((findings.conventions, findings.PAGE, page) for page in findings.BROKEN_PAGES),
    *((findings.indexed, name, text) for name, text in findings.BROKEN),
    *((tables.current, "docs/a.md", page) for page in tables.BROKEN_PAGES),
    (tables.complete, "docs/a.md", "# A\n\n<!-- gradientd --describe limits -->\n<!-- end -->\n"),
    (mutants.current, "lib/kernels/dense.c", OPEN),
    (words.banned, "README.md", "To" + "do: TO" + "DO\n"),
    (tools.clang_format, "lib/core/a.c", OPEN + "int  x;\n"),
    (tools.cppcheck, "lib/core/a.c", OPEN + "int f(void) { int *p = 0; return *p; }\n"),
    (tools.shellcheck, "a.sh", "#!/bin/sh\n# A script.\nrm $1\n"),
)


def _forget():
    files.tracked.cache_clear()
    shape.c_functions.cache_clear()


def _finds(rule, name, text):
    """Whether the rule complains of a tree that holds this file alone."""
    with tempfile.TemporaryDirectory() as folder:
        files.ROOT = pathlib.Path(folder)
        path = files.ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        _forget()
        try:
            return any(rule())
        except files.Skipped:
            return True


def rules():
    """Every seed, and the reader of the public headers."""
    root = files.ROOT
    try:
        for rule, name, text in SEEDS:
            if not _finds(rule, name, text):
                yield f"{rule.__module__}.{rule.__name__} is content with {name}: {text[-60:]!r}"
    finally:
        files.ROOT = root
        _forget()
    for name in ("grad_run_create", "grad_dense_gradients"):
        if name not in symbols.declared("lib/gradient.h"):
            yield f"symbols.declared does not find {name} in lib/gradient.h"
