#!/usr/bin/python3
"""What `make bench` runs: codec, kernels, a network, the service. Prints for people, or with
BENCH_FORMAT=json one JSON document. BENCH_SECONDS is the time of one measurement (10; those of the
codec and the kernels are shorter by their nature). BENCH_ONLY=service runs one part.

    tests/bench/bench.py BUILD
"""

import importlib.util
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "service"), str(HERE / "network")]
import network  # noqa: E402
import service  # noqa: E402

SECONDS = max(1, int(os.environ.get("BENCH_SECONDS", "10")))


def program(build, name, *arguments):
    """The JSON document that a benchmark in C or C++ prints."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "BENCH_FORMAT": "json"}
    output = subprocess.run([os.path.join(build, "bench", name), *arguments], check=True,
                            stdout=subprocess.PIPE, text=True, env=environment).stdout
    return json.loads(output)


def codec(build):
    return program(build, "codec")


def kernels(build):
    seconds = min(1, SECONDS / 10)
    with tempfile.NamedTemporaryFile() as sample:
        results = program(build, "kernels", str(seconds), sample.name)
        results["torch"] = torch_activations(seconds / 10, sample.name, results["activations"])
    return results


def torch_activations(seconds, sample, names):
    """PyTorch's times of the activations, {} where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return {}
    command = [sys.executable, str(HERE / "kernels" / "torch_activations.py"), "1000000",
               str(seconds), sample, ",".join(names)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release()}


def describe_kernels(results):
    for name, times in results["activations"].items():
        yield "%-12s forward %7.2f ns a number   backward %7.2f ns" % (
            name, times["forward_ns"], times["backward_ns"])
    yield ("10^6 elements, ns a number: forward, backward; PyTorch's forward, autograd's backward, "
           "both; times our backward goes into the last two")
    for name, theirs in results["torch"].items():
        forward, backward = (results["large"][name][way] for way in ("forward_ns", "backward_ns"))
        alone, both = theirs["backward_ns"], theirs["both_ns"]
        yield "%-12s %6.2f %6.2f   %6.2f %6.2f %6.2f   %6.2f %6.2f" % (
            name, forward, backward, theirs["forward_ns"], alone, both, alone / backward,
            both / backward)
    if not results["torch"]:
        yield "PyTorch is not installed here: left out"
    for p in results["products"]:
        yield "B=%d K=%d N=%d: sgemm %.1f us, whole batch %.1f us, ratio %.2f" % (
            p["B"], p["K"], p["N"], p["sgemm_us"], p["batch_us"], p["batch_over_sgemm"])


def describe_any(results, indent=""):
    """Names and values, for a part that has no words of its own here."""
    for name, value in results.items():
        if isinstance(value, dict):
            yield "%s%s" % (indent, name)
            yield from describe_any(value, indent + "  ")
        else:
            yield "%s%-32s %s" % (indent, name, value)


PARTS = {
    "codec": (codec, describe_any),
    "kernels": (kernels, describe_kernels),
    "network": (lambda build: network.measure(build, SECONDS), network.describe),
    "service": (lambda build: service.measure(build, SECONDS), service.describe),
}


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
    only = os.environ.get("BENCH_ONLY")
    as_json = os.environ.get("BENCH_FORMAT") == "json"
    results = {"machine": machine(), "seconds": SECONDS}
    for name, (measure, describe) in PARTS.items():
        if only and name != only:
            continue
        results[name] = measure(build)
        if not as_json:
            print("== %s" % name)
            print("\n".join(describe(results[name])), flush=True)
    if as_json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
