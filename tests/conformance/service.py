"""The running daemon, asked over HTTP; and the counting of what its answers were compared with.
What lives here joins a request, its right answer and the answer; the requests are cases.py's."""

import json
import pathlib
import random
import sys
import warnings

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "integration"))

import compare  # noqa: E402
import generate  # noqa: E402
import reference  # noqa: E402
import twin  # noqa: E402
from support import Daemon  # noqa: E402

torch.set_num_threads(1)
warnings.filterwarnings("ignore", category=UserWarning, module="torch")
PROBLEMS_SHOWN = 3
FLAGS = ("--max-body", "256MiB")


def expected_answer(request, datatype):
    """The right answer with its tolerances."""
    graph = reference.Reference(request, datatype)
    bounded = twin.Twin(graph, datatype)
    own = bounded if datatype == "FP64" else twin.Twin(graph, "FP64")
    return compare.Expected(request, datatype, graph, bounded, own)


class Service:
    """A daemon and a connection to it that is kept."""

    def __init__(self, *flags):
        self.daemon = Daemon(*flags)
        self.connection = self.daemon.connect(timeout=120)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.connection.close()
        self.daemon.__exit__(*error)

    def ask(self, path, request, datatype="FP32"):
        """The response to a document."""
        path += "" if datatype == "FP32" else "?datatype=" + datatype
        return self.connection.request("POST", path, json.dumps(request).encode())


def check(service, path, request, datatype, tally):
    """Asks and compares one request. Returns its problems, in words."""
    expected = expected_answer(request, datatype)
    response = service.ask(path, request, datatype)
    if response.status != 200:
        tally.cases += 1
        tally.failed += 1
        return ["status %d: %s" % (response.status, response.body[:400].decode("utf-8", "replace"))]
    return list(compare.compare(expected, response.json(), tally))


def describe(request):
    """A request in one line: its layers, its loss, its options; no tensors."""
    layers = ["%s %s" % (layer.get("type", "dense"), json.dumps(layer.get("activation")))
              for layer in request["layers"]]
    rest = {k: v for k, v in request.items() if k not in ("layers", "input", "grad_output")}
    rest["loss"] = {k: v for k, v in request.get("loss", {}).items() if not isinstance(v, list)}
    return "%s %s" % ("; ".join(layers)[:300], json.dumps(rest)[:300])


def run_category(service, category, seed, datatype):
    """Every case of a category for one seed and datatype. Prints problems, returns the tally."""
    tally = compare.Tally()
    source = generate.Source(random.Random("%s %s %s" % (category.__name__, seed, datatype)),
                             datatype)
    shown = 0
    for number, (path, request) in enumerate(category(source)):
        problems = check(service, path, request, datatype, tally)
        if problems and shown < PROBLEMS_SHOWN:
            shown += 1
            print("%s %s seed %s case %d: %s" % (category.__name__, datatype, seed, number,
                                                 describe(request)))
            print("".join("    %s\n" % p for p in problems[:PROBLEMS_SHOWN]), end="", flush=True)
    return tally
