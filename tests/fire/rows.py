"""The rows of `make fire`: what is done to a daemon, and what is measured of it. Each is a Row
whose measure(program, options) returns figures and whose describe(figures) makes one line."""

import functools
import os
import socket
import struct
import time

import target
from box import Box
from target import Target, generate

MANY = "from=127.1.0.1+64"        # overload comes from 64 addresses
POLITE = "from=127.2.0.1"
GREEDY = "from=127.3.0.1"


class Row:
    """A row of the table: its name, what it is about, what is to be reached."""

    def __init__(self, name, title, goal, measured, describe):
        self.name, self.title, self.goal = name, title, goal
        self.measure, self.describe = measured, describe


@functools.lru_cache(maxsize=None)
def request(name):
    """The bodies of the rows, made once."""
    return {
        "large": lambda: target.of_layer("large", 64, 512, 256),
        "medium": lambda: target.of_layer("medium", 64, 64, 32),
        "small": lambda: target.of_layer("small", 8, 8, 4),
        "check": lambda: target.of_check("check", 64, 8, 32, 16),
        "long check": lambda: target.of_check("long check", 256, 64, 512, 512),
        "longest check": lambda: target.of_check("longest check", 30000, 64, 512, 512),
        "1 MB": lambda: target.of_size("1 MB", 10**6),
        "8 MB": lambda: target.of_size("8 MB", 8 * 10**6),
        "60 MB": lambda: target.of_size("60 MB", 60 * 10**6),
        "200 MB": lambda: target.of_size("200 MB", 200 * 10**6),
    }[name]()


BODIES = {"large": "616 KB", "medium": "77 KB", "small": "1.3 KB", "check": "checks"}


def missing_box(options):
    """Why there can be no quota or limit here, or ""."""
    box = Box(options.cpus, 1 << 29)
    box.remove()
    return box.missing


def start(program, options, **limits):
    """The daemon with the quota, or with those limits instead."""
    return Target(program, *options.flag, **(limits or {"cpus": options.cpus}))


def one_class(name, body, *keys):
    return ["name=" + name, *request(body).keys(), *keys]


# Overload.

def capacity_of(found, options, body):
    """Answers a second when 8 connections never rest."""
    seconds = max(2, min(10, options.seconds / 6))
    measured = generate(options.build, found,
                        one_class("capacity", body, "busy=8", "seconds=%g" % seconds))
    return measured["capacity"]["goodput"]


def overload(body, program, options):
    """Four times what it can, by plan. The capacity is this daemon's own, measured right before."""
    with start(program, options) as found:
        request(body).learn(found)
        peak = capacity_of(found, options, body)
        measured = generate(
            options.build, found,
            one_class("overload", body, MANY, "rate=%g" % (4 * peak), "connections=12000",
                      "seconds=%g" % options.seconds))["overload"]
        return {"peak": peak, "resident": found.resident(), **measured}


def describe_overload(figures):
    lost = {name: count for name, count in figures["outcomes"].items()
            if name[:3] not in ("200", "503", "429")}
    return ("%.0f %% of %.4g/s; admitted p99 %s; refused p99 %s; no answer %s; wrong %d"
            % (100 * figures["goodput"] / figures["peak"], figures["peak"],
               times(figures["answered"]), times(figures["refused"]), lost or 0,
               figures["wrong"]))


def times(samples):
    """Both p99, from the plan and from the real sending, in seconds."""
    if not samples["count"]:
        return "–"
    plan, sending = samples["from_plan_ms"]["p99"], samples["from_sending_ms"]["p99"]
    return "%s (from sending %s)" % (duration(plan), duration(sending))


def duration(milliseconds):
    if milliseconds is None:
        return "–"
    return "%.3g ms" % milliseconds if milliseconds < 1000 else "%.3g s" % (milliseconds / 1e3)


def recovery(program, options):
    """An overload of large bodies whose clients all go at once; when is one client served as if
    nothing had been?"""
    with start(program, options) as found:
        request("large").learn(found)
        peak = capacity_of(found, options, "large")
        probe = one_class("probe", "large", POLITE, "busy=1", "pause=0.05")
        alone = generate(options.build, found, [*probe, "seconds=3"])["probe"]
        generate(options.build, found,
                 one_class("overload", "large", MANY, "rate=%g" % (4 * peak), "connections=12000",
                           "seconds=%g" % (options.seconds / 3)), abandon=True)
        measured = generate(options.build, found, [*probe, "seconds=25"], row_ms=100)["probe"]
        normal = 2 * alone["answered"]["from_sending_ms"]["p99"]
        return {"normal_ms": normal, "alone": alone, "probe": measured,
                "seconds": normal_after(measured["rows"][:250], normal, 0.1)}


def normal_after(found, normal_ms, row_seconds):
    """Seconds until a second begins in which all goes well; None where none does."""
    def is_good(row):
        return row["ok"] > 0 and row["worst_ms"] <= normal_ms and not row["refused"] \
            and not row["failed"]
    need = round(1 / row_seconds)
    for i in range(len(found) - need + 1):
        # One row in ten may be disturbed by what else the machine does.
        if is_good(found[i]) and sum(map(is_good, found[i:i + need])) >= need - 1:
            return i * row_seconds
    return None


def describe_recovery(figures):
    if figures["seconds"] is None:
        return "not within 25 s"
    return "%.1f s (one client p99 %s alone)" % (
        figures["seconds"], duration(figures["alone"]["answered"]["from_sending_ms"]["p99"]))


# Fairness.

def polite(connections, program, options):
    """One connection that waits for its answers beside a peer with many that do so too."""
    seconds = max(4, options.seconds / 3)
    with start(program, options) as found:
        request("large").learn(found)
        mine = one_class("polite", "large", POLITE, "busy=1", "pause=1")
        alone = generate(options.build, found,
                         [*mine, "seconds=%g" % max(2, seconds / 4)])["polite"]
        both = generate(
            options.build, found, [*mine, "start=2", "seconds=%g" % seconds],
            one_class("greedy", "large", GREEDY, "busy=%d" % connections, "pause=1",
                      "seconds=%g" % (seconds + 2)))
        return {"alone": alone["goodput"], "share": both["polite"]["goodput"] / alone["goodput"],
                **both}


def describe_polite(figures):
    mine, other = figures["polite"], figures["greedy"]
    return "%.1f %% of %.3g/s (p99 %s; %s); the peer %.3g/s" % (
        100 * figures["share"], figures["alone"],
        duration(mine["answered"]["from_sending_ms"]["p99"]), mine["outcomes"], other["goodput"])


def check_holds(program, options):
    """One long check; what others meet meanwhile."""
    with start(program, options, cpus=None) as found:
        for name in ("large", "small"):
            request(name).learn(found)
        holder = found.connect(request("longest check").raw())
        time.sleep(0.5)
        answers = [found.post(request(name)) for name in ("large", "small") * 5]
        holder.close()
        return {"worst": max(seconds for _, _, seconds in answers),
                "refused": sum(status != 200 for status, _, _ in answers)}


# Memory.

LARGE_CLIENTS = (("1 MB", 30), ("8 MB", 18), ("60 MB", 12), ("200 MB", 4))


def large_among(program, options):
    """64 clients of 1 to 200 MB, each tries again 0.2 s after a refusal."""
    with start(program, options, memory=512 << 20) as found:
        measured = generate(options.build, found, *(
            one_class(name, name, "busy=%d" % count, "pause=0.2", "timeout=120",
                      "seconds=%g" % max(20, options.seconds), "from=127.4.%d.1+%d" % (i, count))
            for i, (name, count) in enumerate(LARGE_CLIENTS)))
        return {"alive": found.is_alive(), "peak": found.box.peak_memory(), **measured}


def describe_large_among(figures):
    found = []
    for name, _ in LARGE_CLIENTS:
        one = figures[name]
        served = one["waits"]["until_served_ms"]
        found.append("%s: %d served in %d tries, until served p50 %s, max %s, %d not served" % (
            name, one["ok"], one["sent"], duration(served["p50"]), duration(served["max"]),
            one["waits"]["unserved"]))
    return "%s; peak %s; %s" % ("alive" if figures["alive"] else "KILLED",
                                megabytes(figures["peak"]), "; ".join(found))


def megabytes(size):
    return "–" if size is None else "%.0f MB" % (size / 1e6)


def idle_and_huge(program, options):
    """4,070 connections that have been served, and 10 huge replies whose readers are slow, in the
    memory of deploy/compose.yaml."""
    with start(program, options, memory=512 << 20) as found:
        idle, wrong = [], 0
        answer = None
        for i in range(4070):  # of peers with their shares
            one = found.connect(request("small").raw(), source="127.0.0.%d" % (2 + i % 128))
            body = one.recv(9999).partition(b"\r\n\r\n")[2]
            answer = answer or body
            wrong += body != answer
            idle.append(one)
        huge, N = [], 1500
        while N > 50 and len(huge) < 10 and found.is_alive():
            try:
                one = found.connect(huge_request(N), receive=16384, source="127.0.0.1")
                status = one.recv(12)[9:]
            except OSError:
                break
            if status == b"200":
                huge.append(one)
            else:
                N = N * 2 // 3
        until = time.monotonic() + min(20, options.seconds)
        while found.is_alive() and time.monotonic() < until:
            time.sleep(0.1)
        return {"alive": found.is_alive(), "idle": len(idle), "huge": len(huge), "wrong": wrong,
                "peak": found.box.peak_memory()}


def huge_request(N):
    document = {"outputs": ["weight_delta"], "layers": [{
        "activation": "identity", "input": [1.2345678] * N, "pre_activation": [1] * N,
        "grad_output": [1.2345678] * N}]}
    return target.Request("huge", target.text(document)).raw()


def describe_idle_and_huge(figures):
    return "%s; %d idle, %d huge held; wrong %d; peak %s" % (
        "alive" if figures["alive"] else "KILLED", figures["idle"], figures["huge"],
        figures["wrong"], megabytes(figures["peak"]))


def socket_memory():
    """Bytes that the kernel holds for TCP sockets, all processes' together."""
    with open("/proc/net/sockstat") as file:
        for line in file:
            if line.startswith("TCP:"):
                return int(line.split()[-1]) * os.sysconf("SC_PAGESIZE")
    return 0


def unread(program, options):
    """300 clients that do not read their reply of 1.35 MB."""
    with start(program, options, cpus=None) as found:
        before = socket_memory()
        readers = [found.connect(request("large").raw(), receive=4096) for _ in range(300)]
        began, most, last, leased = time.monotonic(), 0, 0, 0
        while time.monotonic() - began < 120:
            held = socket_memory() - before
            most, leased = max(most, held), max(leased, found.leased() + found.unsent())
            last = time.monotonic() - began
            if last > 8 and held < most / 20:
                break
            time.sleep(0.5)
        for one in readers:
            one.close()
        return {"kernel": most, "leased": leased, "seconds": last,
                "budget": found.info()["limits"]["memory_budget"]}


def describe_unread(figures):
    return "%s in the kernel, %s accounted at most, cut after %.0f s" % (
        megabytes(figures["kernel"]), megabytes(figures["leased"]), figures["seconds"])


def headers(program, options):
    """Requests promise bodies whose halves fill the budget, and send nothing of them."""
    with start(program, options, cpus=None, memory=512 << 20) as found:
        limits = found.info()["limits"]
        budget, largest = limits["memory_budget"], limits["max_body"]
        count = -(-2 * budget // largest)
        count += budget // count > largest // 2 - 32800
        promise = target.Request("promise", b"").raw(2 * (budget // count) - 32800)
        holders = [found.connect(promise) for _ in range(count)]
        time.sleep(0.5)
        answers = [found.post(request("small"))[0] for _ in range(20)]
        answers += [found.post(request("large"))[0] for _ in range(20)]
        leased = found.leased()
        for one in holders:
            one.close()
        return {"share": leased / budget,
                "refused": sum(status != 200 for status in answers)}


def describe_headers(figures):
    return "%.1f %% of the budget; others refused %d of 40" % (
        100 * figures["share"], figures["refused"])


def small_beside_large(program, options):
    """One client of small requests, alone and beside four that never rest with large ones, each of
    its own address."""
    with start(program, options, cpus=None) as found:
        for body in ("small", "large"):
            request(body).learn(found)
        small = one_class("small", "small", POLITE, "busy=1", "pause=0.002",
                          "seconds=%g" % options.seconds)
        large = one_class("large", "large", MANY, "busy=4", "seconds=%g" % options.seconds)
        return {"alone": generate(options.build, found, small)["small"],
                **generate(options.build, found, small, large)}


def describe_small_beside_large(figures):
    alone, beside = ([one["answered"]["from_sending_ms"][name] for name in ("p50", "p99")]
                     for one in (figures["alone"], figures["small"]))
    return "p99 %s, alone %s: %.2g times (p50 %s, %s); %.4g large ones a second; wrong %d" % (
        duration(beside[1]), duration(alone[1]), beside[1] / alone[1], duration(beside[0]),
        duration(alone[0]), figures["large"]["goodput"],
        figures["small"]["wrong"] + figures["large"]["wrong"])


# Gone.

def reset(one):
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def abandoned(program, options):
    """Twelve checks whose clients go: for how long it works on, and how long the next request
    waits."""
    with start(program, options, cpus=None) as found:
        request("large").learn(found)
        gone = [found.connect(request("long check").raw()) for _ in range(12)]
        time.sleep(0.5)
        for one in gone:
            reset(one)
        works_on = time_until_idle(found)
    with start(program, options, cpus=None) as found:
        request("large").learn(found)
        gone = [found.connect(request("long check").raw()) for _ in range(12)]
        time.sleep(0.5)
        for one in gone:
            reset(one)
        status, _, waited = found.post(request("large"))
        return {"works_on": works_on, "next": waited, "status": status}


def time_until_idle(found):
    """Seconds from now on in which it still uses a fifth of a CPU; looked at every 20 ms."""
    began, last, before = time.monotonic(), 0, found.cpu_seconds()
    while time.monotonic() - began < 60 and time.monotonic() - began - last < 0.5:
        time.sleep(0.02)
        now = found.cpu_seconds()
        if now - before > 0.004:
            last = time.monotonic() - began
        before = now
    return last


def describe_abandoned(figures):
    return "works on for %.2f s; the next request: %d after %.3f s" % (
        figures["works_on"], figures["status"], figures["next"])


def all_rows(body=""):
    """Every row; body: only that one where a row is for each body."""
    rows = [Row("overload-" + name, "overload of 4 times, %s" % size,
                "95 %; admitted p99 within 2 times the queue's bound, refused 20 ms",
                functools.partial(overload, name), describe_overload)
            for name, size in BODIES.items() if body in name]
    return rows + [
        Row("recovery", "back to normal after an overload", "0.5 s", recovery, describe_recovery),
        Row("polite-64", "polite client against 64 connections of a peer", "40 %",
            functools.partial(polite, 64), describe_polite),
        Row("polite-4096", "polite client against 4,096 connections of a peer", "30 %",
            functools.partial(polite, 4096), describe_polite),
        Row("small-beside-large", "small requests beside four large clients", "p99 5 times alone",
            small_beside_large, describe_small_beside_large),
        Row("check", "others beside one long check", "served", check_holds,
            lambda f: "worst %.3g s, %d of 10 not answered 200" % (f["worst"], f["refused"])),
        Row("large-among", "200 MB among 64 clients of 1 to 200 MB in 512 MB", "within 10 s",
            large_among, describe_large_among),
        Row("idle-and-huge", "4,070 idle and 10 huge replies in 512 MB", "alive, 0 wrong",
            idle_and_huge, describe_idle_and_huge),
        Row("unread", "300 readers that do not read", "bounded by the budget, 30 s", unread,
            describe_unread),
        Row("headers", "memory held by headers alone", "1 %", headers, describe_headers),
        Row("abandoned", "work of clients that have gone", "50 ms", abandoned,
            describe_abandoned),
    ]
