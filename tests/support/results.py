"""How many tests passed, failed and were skipped, read from what a test program printed.
What lives here: one reader for each kind of program. Nothing here runs anything."""
import dataclasses
import re


@dataclasses.dataclass
class Totals:
    """Counts of tests; prints as '12 passed, 0 failed', with ', 1 skipped' where there are any."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Totals(self.passed + other.passed, self.failed + other.failed,
                      self.skipped + other.skipped)

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def of_cmocka(output):
    """cmocka's standard format: one OK or SKIPPED line a test, and a count of the failed ones."""
    passed = len(re.findall(r"^\[       OK \] ", output, re.MULTILINE))
    failed = re.findall(r"^\[  FAILED  \] (\d+) test\(s\)", output, re.MULTILINE)
    skipped = re.findall(r"^\[  SKIPPED \] (\d+) test\(s\)", output, re.MULTILINE)
    return Totals(passed, sum(map(int, failed)), sum(map(int, skipped)))


def of_unittest(output):
    """unittest's last lines: Ran 12 tests in 1.2s / FAILED (failures=1, errors=2, skipped=1)."""
    ran = re.findall(r"^Ran (\d+) tests? in", output, re.MULTILINE)
    verdict = re.findall(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$", output, re.MULTILINE)
    counts = {key: int(value) for line in verdict[-1:]
              for key, value in re.findall(r"([a-z ]+[a-z])=(\d+)", line)}
    failed = sum(counts.get(key, 0) for key in ("failures", "errors", "unexpected successes"))
    skipped = counts.get("skipped", 0)
    # What fails around the tests of a class or a module is not among those that ran.
    around = len(re.findall(r"^ERROR: (?:setUp|tearDown)(?:Class|Module) ", output, re.MULTILINE))
    total = (int(ran[-1]) if ran else 0) + around
    return Totals(max(0, total - failed - skipped), failed, skipped)


def of_totals(output):
    """A program that ends as this project's own do: 12 passed, 0 failed, 1 skipped."""
    lines = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output, re.MULTILINE)
    if not lines:
        return Totals()
    return Totals(*(int(number or 0) for number in lines[-1]))


def checked(totals, status):
    """A program that fails without saying which test did, or runs nothing, has failed once."""
    if totals.failed == 0 and (status != 0 or totals.passed + totals.skipped == 0):
        return Totals(totals.passed, 1, totals.skipped)
    return totals
