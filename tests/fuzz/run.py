#!/usr/bin/python3
"""Runs the fuzzers, one on each processor, for some seconds each, from our seeds and what earlier
runs kept; and says how long each had a processor. A find stays in build/fuzz/fuzz/found.

    tests/fuzz/run.py [--seconds S] [--only WORD] BUILD

BUILD is the tree that make fuzz builds with clang. What each target does is in fuzz_*.c; its seeds
are made here, of the tables of tests/integration and of tests/fuzz/corpus. Ends with the totals."""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
sys.path[:0] = [str(FOLDER.parent / "integration"), str(FOLDER.parent / "support")]

import results  # noqa: E402

LONGEST = {"decoder": 4096, "batch": 1024, "headers": 2048, "config": 2048, "tokens": 4096,
           "handler": 8192, "codings": 4096, "safetensors": 2048}


def documents():
    return [path.read_bytes() for path in sorted((FOLDER / "corpus").iterdir())]


def odd_requests():
    """The heads and the bodies in chunks that the integration tests send."""
    import odd_requests as odd
    return [row[0] for row in {**odd.LINES, **odd.FIELDS, **odd.BODIES}.values()] + \
        [odd.CHUNKED_POST + row[0] for row in odd.CHUNKS.values()]


def seeds(name):
    if name == "decoder":
        return documents()
    if name == "handler":
        found = [bytes([choice]) + document for document in documents()
                 for choice in (128, 129, 130, 136)]
        return found + [b"\0" + request for request in odd_requests()]
    if name == "codings":
        import codings
        text = b'{"layers":[' + b"[1.5,2],{}," * 60
        return [bytes([choice, piece]) + encode(text[:40]) + encode(text)
                for choice, encode in enumerate(codings.ENCODE.values()) for piece in (0, 6, 255)]
    if name == "safetensors":
        import safetensors_bodies as bodies
        entry = {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}
        document = {"document": '{"layers":[{"activation":"relu"},{"dropout":{"rate":0}}]}'}
        headers = [{"__metadata__": document, "layers.0.input": entry},
                   {"layers.1.dropout.mask": {**entry, "dtype": "BF16", "data_offsets": [0, 4]},
                    "__metadata__": {"format": "pt", **document},
                    "layers.0.bias": {"data_offsets": [4, 6], "dtype": "F16", "shape": []}}]
        # behind the byte that says how it is cut: the fuzzer makes the length itself
        return [bytes([cut]) + bodies.join(header, b"\0\0\x80\x3f\0\0\x20\x40")[8:]
                for header in headers for cut in (1, 7, 64)]
    if name == "headers":
        return [request.partition(b"\r\n\r\n")[0].replace(b"\r", b"").partition(b"\n")[2]
                for request in odd_requests()]
    if name == "config":
        return [b"listen = 127.0.0.1:1\nmax-body = 64MiB # half\nheader-timeout=1.5s\n",
                b"\0--workers\0002\0GRADIENTD_LOG_LEVEL=debug\0--log-requests=off\0",
                b"# empty\n\nallow-origin = https://a.example,http://localhost:3000\n\0-h\0",
                b"\0--listen\0[::1]:8080\0--token-file\0x\0--describe\0limits\0",
                b"inline-cost = 0.5ms\nmin-body-rate = 10k\nmemory-budget = 4GiB\n\0--workres\0"]
    if name == "tokens":
        digits = b"0123456789abcdef" * 4
        return [b"a sha256:" + digits + b"\n# b\nb@c sha256:" + digits[::-1] +
                b" rate=10/s bytes=1MiB/10m concurrent=3 expires=2030-01-02\n",
                b"a sha256:" + digits + b" expires=2030-01-02T03:04:05Z rate=0/s"]
    return [bytes(range(256)), b"\1" * 300, b"\2\3\5\7" * 60]


class Fuzzer:
    """One target."""

    def __init__(self, program):
        self.program = program
        self.name = program.name[len("fuzz_"):]
        self.corpus = program.parent / "corpus" / self.name
        self.corpus.mkdir(parents=True, exist_ok=True)
        for seed in seeds(self.name):
            (self.corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)

    def run(self, seconds):
        """Whether it found nothing, and what to say."""
        found = self.program.parent / "found"
        found.mkdir(exist_ok=True)
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            process = subprocess.Popen(
                [self.program, "-max_total_time=%d" % seconds, "-timeout=25",
                 "-print_final_stats=1", "-rss_limit_mb=4096",
                 "-max_len=%d" % LONGEST.get(self.name, 4096),
                 "-artifact_prefix=%s/%s-" % (found, self.name), self.corpus],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            output = said.read()
        runs = re.search(r"number_of_executed_units: (\d+)", output)
        good = process.returncode == 0
        line = "%s %-8s %9s inputs, %5.1f s of processor, %5d kept" % (
            "ok  " if good else "FAIL", self.name, runs and runs.group(1),
            usage.ru_utime + usage.ru_stime, len(list(self.corpus.iterdir())))
        return good, line if good else "%s, exit status %d\n%s" % (line, process.returncode,
                                                                  output[-6000:])


def main():
    parser = argparse.ArgumentParser(description="Runs the fuzzers.")
    parser.add_argument("--seconds", type=int, default=15, help="for each")
    parser.add_argument("--only", default="", help="only those whose name holds this word")
    parser.add_argument("build", help="build/fuzz")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.build).resolve() / "fuzz"
    fuzzers = [Fuzzer(folder / source.stem) for source in sorted(FOLDER.glob("fuzz_*.c"))
               if arguments.only in source.stem]
    totals = results.Totals()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for good, text in pool.map(lambda fuzzer: fuzzer.run(arguments.seconds), fuzzers):
            print(text, flush=True)
            totals += results.Totals(passed=int(good), failed=int(not good))
    print(totals)
    sys.exit(0 if totals.passed and not totals.failed else 1)


if __name__ == "__main__":
    main()
