"""A control group with a quota of CPU time and a limit of memory, of either version of control
groups, for a daemon to run in. Within the quota it comes before the rest of the machine. Where no
group can be made it says why, and the daemon runs without."""

import itertools
import os
import pathlib

ROOT = pathlib.Path("/sys/fs/cgroup")
PERIOD_US = 20000
NUMBERS = itertools.count()


def is_version_1():
    return (ROOT / "cpu" / "cpu.cfs_quota_us").exists()


class Box:
    """cpus: of a CPU's time, 0.25 is a quarter; memory: bytes. None: without that limit. missing:
    what was wanted and cannot be had here, and why, or ""."""

    def __init__(self, cpus=None, memory=None):
        self.folders, self.missing = [], ""
        name = "gradientd-fire-%d-%d" % (os.getpid(), next(NUMBERS))
        try:
            if is_version_1():
                self._make_version_1(name, cpus, memory)
            else:
                self._make_version_2(name, cpus, memory)
        except OSError as error:
            self.missing = "no control group here (%s)" % error
            self.remove()

    def _make_version_1(self, name, cpus, memory):
        if cpus:
            folder = self._folder(ROOT / "cpu" / name)
            write(folder / "cpu.cfs_period_us", PERIOD_US)
            write(folder / "cpu.cfs_quota_us", int(cpus * PERIOD_US))
            write(folder / "cpu.shares", 10240)
        if memory:
            folder = self._folder(ROOT / "memory" / name)
            write(folder / "memory.limit_in_bytes", memory)

    def _make_version_2(self, name, cpus, memory):
        if not cpus and not memory:
            return
        write(ROOT / "cgroup.subtree_control", "+cpu +memory")
        folder = self._folder(ROOT / name)
        if cpus:
            write(folder / "cpu.max", "%d %d" % (int(cpus * PERIOD_US), PERIOD_US))
            write(folder / "cpu.weight", 1000)
        if memory:
            write(folder / "memory.max", memory)
            write(folder / "memory.swap.max", 0)

    def _folder(self, path):
        path.mkdir()
        self.folders.append(path)
        return path

    def enter(self):
        """Moves the calling process into it: for a child, before it runs the daemon."""
        for folder in self.folders:
            write(folder / "cgroup.procs", os.getpid())

    def peak_memory(self):
        """Most bytes it held, or None."""
        for folder in self.folders:
            for name in ("memory.max_usage_in_bytes", "memory.peak"):
                if (folder / name).exists():
                    return int((folder / name).read_text())
        return None

    def remove(self):
        for folder in self.folders:
            try:
                folder.rmdir()
            except OSError:
                pass
        self.folders = []


def write(path, value):
    path.write_text(str(value))
