"""The lists of mutants in tests/mutation against today's sources: each place that they break is
there, once, and each test that must see it exists. Nothing is built or run here."""
import sys

import files

sys.path.append(str(files.ROOT / "tests" / "mutation"))
import mutant  # noqa: E402


def current():
    yield from mutant.problems(files.ROOT)
