"""A whole network in one call: the daemon's CPU time for POST /v1/backprop, weights sent, over what
cannot be saved: decoding the body, the bare matrix products, and encoding the answer, each alone on
one thread. The answer is held right by PyTorch in double precision before anything is timed. Used
by ../bench.py."""

import importlib.util
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "integration"))

B = 128
WIDTHS = (784, 512, 256, 10)
GOAL = 1.1
ROUNDS = 5


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


class Network:
    """relu between dense layers, cross_entropy of classes; numbers of nine significant digits."""

    def __init__(self):
        generator = random.Random(B)
        self.x = self._matrix(generator, B, WIDTHS[0], 1)
        self.layers = [(self._matrix(generator, N, K, (2 / K) ** 0.5),
                        self._matrix(generator, 1, N, 0.1)[0])
                       for K, N in zip(WIDTHS, WIDTHS[1:])]
        self.target = [generator.randrange(WIDTHS[-1]) for _ in range(B)]
        self.body = self._body()

    @staticmethod
    def _matrix(generator, rows, cols, size):
        return [[float32(generator.gauss(0, size)) for _ in range(cols)] for _ in range(rows)]

    def _body(self):
        layers = ",".join('{"activation":"%s","weight":%s,"bias":%s}' % (
            "relu" if i + 1 < len(self.layers) else "identity", spelled(W), spelled_row(b))
            for i, (W, b) in enumerate(self.layers))
        return ('{"input":%s,"loss":{"name":"cross_entropy","target":%s},"layers":[%s]}' % (
            spelled(self.x), json.dumps(self.target), layers)).encode()

    def validate(self, body):
        """Exits where an answer is not PyTorch's in double, to float32's rounding of K terms."""
        import torch
        x = torch.tensor(self.x, dtype=torch.float64, requires_grad=True)
        parameters = [(torch.tensor(W, dtype=torch.float64, requires_grad=True),
                       torch.tensor(b, dtype=torch.float64, requires_grad=True))
                      for W, b in self.layers]
        y = x
        for i, (W, b) in enumerate(parameters):
            y = torch.nn.functional.linear(y, W, b)
            y = torch.relu(y) if i + 1 < len(parameters) else y
        loss = torch.nn.functional.cross_entropy(y, torch.tensor(self.target))
        loss.backward()
        answer = json.loads(body)
        compare("loss", torch.tensor(answer["loss"], dtype=torch.float64), loss.detach())
        compare("grad_input", torch.tensor(answer["grad_input"], dtype=torch.float64), x.grad)
        for layer, (W, b) in zip(answer["layers"], parameters):
            for name, tensor in (("weight_delta", W), ("bias_delta", b)):
                compare(name, torch.tensor(layer[name], dtype=torch.float64), tensor.grad)


def spelled_row(row):
    return "[%s]" % ",".join("%.9g" % v for v in row)


def spelled(matrix):
    return "[%s]" % ",".join(map(spelled_row, matrix))


def compare(name, found, expected):
    """Norm-wise: 2000 roundings of float32 are far above what any sum here makes."""
    error = (found - expected).norm() / expected.norm()
    if found.shape != expected.shape or not error < 2000 * 2.0 ** -24:
        sys.exit("backprop: %s is wrong by %g, nothing is timed" % (name, error))


def program(build, *arguments):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return json.loads(subprocess.run([os.path.join(build, "bench", arguments[0]), *arguments[1:]],
                                     check=True, capture_output=True, text=True,
                                     env=environment).stdout)


def daemon_seconds(connection, daemon, body, count):
    """CPU seconds of the daemon for one request."""
    before = daemon.cpu_seconds()
    for _ in range(count):
        connection.request("POST", "/v1/backprop", body)
    return (daemon.cpu_seconds() - before) / count


def one_round(build, connection, daemon, body, body_file, seconds):
    alone = program(build, "stages", "backprop", body_file, str(seconds))
    alone.update(program(build, "products", str(seconds), str(B), *map(str, WIDTHS)))
    count = max(3, int(seconds / alone["total_s"]))
    alone["daemon_s"] = daemon_seconds(connection, daemon, body, count)
    least = alone["decode_s"] + alone["products_s"] + alone["encode_s"]
    return {**alone, "ratio": alone["daemon_s"] / least, "goal": GOAL}


def rounds(build, network, seconds):
    """The parts and the whole in turn, so that the machine's other work meets all of them."""
    from support import Daemon
    measured = []
    with tempfile.NamedTemporaryFile() as file, Daemon() as daemon:
        file.write(network.body)
        file.flush()
        network.validate(daemon.post(network.body, path="/v1/backprop").body)
        with daemon.connect() as connection:  # no sooner: idle, it is closed after header-timeout
            for _ in range(ROUNDS):
                measured.append(one_round(build, connection, daemon, network.body, file.name,
                                          seconds / ROUNDS))
    return sorted(measured, key=lambda m: m["ratio"])


def measure(build, seconds):
    if importlib.util.find_spec("torch") is None:
        return {"left_out": "torch is not installed, which holds the answer right"}
    os.environ["GRADIENTD_BUILD"] = build
    measured = rounds(build, Network(), seconds)
    return {**measured[len(measured) // 2], "ratios": [m["ratio"] for m in measured]}


def describe(results):
    if "left_out" in results:
        yield results["left_out"]
        return
    yield "%s B=%d, weights sent" % ("-".join(map(str, WIDTHS)), B)
    yield ("  CPU %.2f ms a request; decode %.2f + sgemm %.2f + encode %.2f = %.2f ms alone "
           "(with everything computed: %.2f)" % tuple(1e3 * t for t in (
               results["daemon_s"], results["decode_s"], results["products_s"],
               results["encode_s"],
               results["decode_s"] + results["products_s"] + results["encode_s"],
               results["total_s"])))
    yield "  ratio %.3f, rounds %s   to reach: %g" % (
        results["ratio"], ", ".join("%.3f" % r for r in results["ratios"]), results["goal"])
