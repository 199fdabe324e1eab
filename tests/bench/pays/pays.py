#!/usr/bin/python3
"""When does it pay? The time of a step of training at home against the same step at the service,
in each form on the wire, the client's own work included: over loopback, and as root over links of
1 Gbit/s and 100 Mbit/s between two network namespaces that are made for it. Rounds in turn,
medians; every step's deltas are held against numpy's first. Prints the tables of
docs/when-it-pays.md.

    tests/bench/pays/pays.py BUILD        PAYS_ROUNDS=7 PAYS_ONLY=784
"""

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

IN_NAMESPACE = "--in-namespace"
ROUNDS = int(os.environ.get("PAYS_ROUNDS", "7"))
LINKS = {"1 Gbit/s": ("10.200.1", "1gbit"), "100 Mbit/s": ("10.200.2", "100mbit")}
NETWORKS = ((8, 64, 32), (64, 512, 256), (128, 784, 256, 10), (256, 1024, 1024))
PLAIN_MULTIPLICATIONS = 2e8  # a plain Python of more takes minutes


def enter_namespace():
    """Begins again with a network of its own and one thread in every product. Without root there is
    loopback alone."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *sys.argv, IN_NAMESPACE]
    if os.getuid() == 0 and shutil.which("tc"):
        command = ["unshare", "--net", *command]
    os.execvpe(command[0], command, environment)


# ---- Daemons and links --------------------------------------------------------------------------

class Daemon:
    def __init__(self, build, host, inside=()):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*inside, os.path.join(build, "gradientd"), "--listen", host + ":0", "--admin-listen",
             "127.0.0.1:0", "--insecure", "on"], stderr=self.log, stdin=subprocess.DEVNULL)
        self.host, self.port = host, self._wait()

    def _wait(self):
        for _ in range(600):
            self.log.seek(0)
            found = re.search(rb'"role":"service","address":"[^"]*:(\d+)"', self.log.read())
            if found:
                return int(found.group(1))
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.log.seek(0)
        raise SystemExit("the daemon does not start: %s" % self.log.read().decode())

    def cpu_seconds(self):
        """Of all threads, from the scheduler's accounts, in nanoseconds there."""
        tasks = "/proc/%d/task" % self.process.pid
        total = 0
        for task in os.listdir(tasks):
            with open(os.path.join(tasks, task, "schedstat")) as account:
                total += int(account.read().split()[0])
        return total / 1e9

    def stop(self):
        self.process.terminate()
        self.process.wait()


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def make_links(pid):
    """A pair of devices for each link, one end in the namespace of that process; both ends send no
    faster than its rate."""
    for number, (prefix, rate) in enumerate(LINKS.values()):
        here, there = "here%d" % number, "there%d" % number
        inside = ("nsenter", "--net", "--target", str(pid))
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", str(pid))
        for words, device, address in (((), here, prefix + ".1"), (inside, there, prefix + ".2")):
            run(*words, "ip", "address", "add", address + "/24", "dev", device)
            run(*words, "ip", "link", "set", device, "up")
            run(*words, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", rate, "burst",
                "128k", "latency", "100ms")


def start(build, stack):
    """{link: its daemon}"""
    daemons = {}
    if os.getuid() == 0 and shutil.which("tc"):
        run("ip", "link", "set", "lo", "up")
        keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        stack.callback(keeper.wait)
        stack.callback(keeper.kill)
        own = os.readlink("/proc/self/ns/net")
        while os.readlink("/proc/%d/ns/net" % keeper.pid) == own:
            time.sleep(0.01)
        inside = ("nsenter", "--net", "--target", str(keeper.pid))
        run(*inside, "ip", "link", "set", "lo", "up")
        make_links(keeper.pid)
        daemons = {link: Daemon(build, prefix + ".2", inside)
                   for link, (prefix, _) in LINKS.items()}
    daemons = {"one machine": Daemon(build, "127.0.0.1"), **daemons}
    for daemon in daemons.values():
        stack.callback(daemon.stop)
    return daemons


# ---- Measuring ----------------------------------------------------------------------------------

class Step:
    """One way to make a step, and what it took so far."""

    def __init__(self, work, daemon=None, repetitions=1):
        self.work, self.daemon, self.repetitions = work, daemon, repetitions
        self.wall, self.client, self.service = [], [], []

    def round(self, network):
        service = self.daemon.cpu_seconds() if self.daemon else 0
        client, wall = time.process_time(), time.perf_counter()
        for _ in range(self.repetitions):
            self.work(network)
        count = self.repetitions
        self.wall.append((time.perf_counter() - wall) / count)
        self.client.append((time.process_time() - client) / count)
        if self.daemon:
            self.service.append((self.daemon.cpu_seconds() - service) / count)


def hold(name, found, expected):
    """Norm-wise: 2000 roundings of float32 are far above what any sum here makes."""
    import numpy
    for ours, theirs in zip(found, expected):
        for a, b in zip(ours, theirs):
            error = numpy.linalg.norm(a.astype(float) - b) / numpy.linalg.norm(b.astype(float))
            if a.shape != b.shape or not error < 2000 * 2.0 ** -24:
                raise SystemExit("%s: wrong by %g, nothing is timed" % (name, error))


def measure(network, daemons):
    """({name: step at home}, {(form, link): step at the service})"""
    import steps
    has_plain = network.multiplications() < PLAIN_MULTIPLICATIONS
    ways = {name: Step(work) for name, work in steps.home(network, has_plain).items()}
    remote = {(form.name, link): Step(steps.Remote(form, daemon.host, daemon.port), daemon)
              for form in steps.forms() for link, daemon in daemons.items()}
    expected = steps.by_numpy(network)
    for name, step in [*ways.items(), *remote.items()]:
        hold(name, step.work(network), expected)
        began = time.perf_counter()
        step.work(network)
        step.repetitions = max(1, min(200, int(0.25 / (time.perf_counter() - began))))
    for number in range(ROUNDS):
        for name, step in [*ways.items(), *remote.items()]:
            if name != "plain Python" or number == 0:
                step.round(network)
    return ways, remote


def milliseconds(samples):
    value = 1e3 * statistics.median(samples)
    return "%.*f" % (2 if value < 10 else 1 if value < 100 else 0, value)


def table(network, ways, remote, links):
    """The rows of one network."""
    yield "**%s**, %.3g million multiplications" % (network.name, network.multiplications() / 1e6)
    yield ""
    yield "| step | KB sent, received | client's CPU | service's CPU | %s |" % " | ".join(links)
    yield "|---|---|---|---|%s" % ("---|" * len(links))
    for name, step in ways.items():
        yield "| at home, %s | | %s | | %s |" % (
            name, milliseconds(step.client), " | ".join([milliseconds(step.wall)] * len(links)))
    for form in dict.fromkeys(form for form, _ in remote):
        first = remote[form, links[0]]
        walls = [milliseconds(remote[form, link].wall) for link in links]
        yield "| %s | %.0f, %.0f | %s | %s | %s |" % (
            form, first.work.sent / 1e3, first.work.received / 1e3, milliseconds(first.client),
            milliseconds(first.service), " | ".join(walls))
    yield ""


def main():
    if IN_NAMESPACE not in sys.argv:
        enter_namespace()
    build = os.path.abspath(sys.argv[1])
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import steps
    with contextlib.ExitStack() as stack:
        daemons = start(build, stack)
        print("milliseconds a step, medians of %d rounds in turn\n" % ROUNDS)
        for sizes in NETWORKS:
            network = steps.Network(*sizes)
            if os.environ.get("PAYS_ONLY", "") in network.name:
                ways, remote = measure(network, daemons)
                print("\n".join(table(network, ways, remote, list(daemons))), flush=True)


if __name__ == "__main__":
    main()
