"""Bodies that become far more than they are: what a compressed one of 10 kB may cost."""

import unittest

from codings import ENCODE
from support import Daemon

RUN_ALONE = True  # the process is measured
VARIANTS = ("plain",)  # the sanitizers' memory is not the daemon's

LAYER = b'{"layers":[{"activation":"relu","input":['


def _bombs():
    """Bodies that become far more than they are, of 10 kB at most."""
    texts = {
        "blanks": b" " * (9 << 20),
        "zeros": LAYER + b"0," * (4 << 20),
        "rows": LAYER + b"[0]," * (2 << 20),
        "empty arrays": b'{"layers":[' + b"[]," * (3 << 20),
        "arrays of one": b'{"layers":[' + b'{"a":[1]},' * (1 << 20),
        "faults": b'{"layers":[0' + b",[[],0]" * (1 << 20),
        "objects": b'{"layers":[' + b'{"":0},' * (1 << 20),
        "nesting": b'{"layers":' + b"[" * (8 << 20),
        "a text": b'{"id":"' + b"a" * (8 << 20),
        "names": b'{"layers":[{' + b'"a":0,' * (1 << 20),
    }
    for name, text in texts.items():
        for coding, encode in ENCODE.items():
            body = encode(text)
            if len(body) > 10000 and coding != "zstd":
                body = body[:10000]
            assert len(body) <= 10000, (name, coding, len(body))
            yield name, coding, body


class Bombs(unittest.TestCase):
    """A body of 10 kB costs less than 1 MB, and is refused."""

    def test_bombs(self):
        """Within a budget of 1 MB it is not memory that they are refused for."""
        flags = ("--max-envelope", "64MiB", "--max-layers", "1Mi", "--workers", "1",
                 "--event-loops", "1", "--memory-budget", "1000000")
        with Daemon(*flags) as daemon:
            for name, coding, body in _bombs():
                for path in ("/v1/gradients", "/v1/gradients?datatype=FP64"):
                    with self.subTest(name, coding=coding, path=path):
                        daemon.reset_peak_memory()
                        before = daemon.resident_memory()
                        response = daemon.post(body, path, headers=[("Content-Encoding", coding)])
                        self.assertEqual(response.status, 413, response)
                        limit = "max_depth" if name == "nesting" else "max_expansion"
                        self.assertEqual(response.json()["limit"]["name"], limit)
                        self.assertLess(daemon.peak_memory() - before, 1000000)

    def test_the_process_does_not_grow(self):
        with Daemon("--workers", "1", "--event-loops", "1", "--max-envelope", "64MiB") as daemon:
            bombs = list(_bombs())
            before = daemon.resident_memory()
            for _ in range(3):
                for name, coding, body in bombs:
                    response = daemon.post(body, headers=[("Content-Encoding", coding)])
                    self.assertEqual(response.status, 413, name)
            self.assertLess(daemon.resident_memory() - before, 16 << 20)


if __name__ == "__main__":
    unittest.main()
