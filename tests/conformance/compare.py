"""Asks the running daemon and holds its answer against the reference, number by number, within the
bounds. Counts cases and comparisons by category. A bound so wide that it says nothing (a kink
within the error of z, a number that may have overflowed) is counted as wide, not as a comparison.
What is asked is generate.py's."""

import collections
import json
import math

import torch

import bounds
import options
from functions import LINEAR
from network import Network, single
from units import BOTH, UNITS

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
WIDE = 0.05  # of the largest number of a tensor: a wider bound tells nothing


def spelled(value):
    """A request as JSON has it."""
    if torch.is_tensor(value):
        return spelled(value.tolist())
    if isinstance(value, dict):
        return {k: spelled(v) for k, v in value.items()}
    if isinstance(value, list):
        return [spelled(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def shape_of(value):
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0]
    return shape


def flat(value):
    if isinstance(value, list):
        return [number for item in value for number in flat(item)]
    return [WORDS.get(value, value) if isinstance(value, str) else value]


def numbers_in(found, *names):
    return torch.tensor([flat(found[n])[0] for n in names], dtype=torch.float64)


class Report:
    """Counts, and what went wrong."""

    def __init__(self):
        self.cases, self.compared = collections.Counter(), collections.Counter()
        self.wide, self.failed = collections.Counter(), collections.Counter()
        self.problems, self.closest = [], collections.defaultdict(float)
        self.failed_cases, self.last_failed = 0, None

    def problem(self, case, text):
        self.failed_cases += case is not self.last_failed  # of which there may be more
        self.last_failed = case
        for tag in case.tags:
            self.failed[tag] += 1
        self.problems.append("%s: %s" % (case.name, text))

    def lines(self):
        yield "%-34s %7s %9s %8s %6s %s" % ("category", "cases", "compared", "wide", "wrong",
                                            "largest error / bound")
        for tag in sorted(self.cases):
            yield "%-34s %7d %9d %8d %6d %.2g" % (
                tag, self.cases[tag], self.compared[tag], self.wide[tag], self.failed[tag],
                self.closest[tag])


class Comparison:
    """One case: its request, the daemon's answer, the report that it adds to."""

    def __init__(self, case, report):
        self.case, self.request, self.report = case, case.request, report
        self.unit = UNITS[case.datatype]
        for tag in case.tags:
            report.cases[tag] += 1

    def run(self, connection):
        path = "/v1/backprop" if self.case.is_network else "/v1/gradients"
        body = json.dumps(spelled(self.case.sent())).encode()
        response = connection.request("POST", path + "?datatype=" + self.case.datatype, body)
        if response.status != 200:
            self.report.problem(self.case, "answered %d %r" % (response.status, response.body))
            return
        self.answer = response.json()
        try:
            (self._network if self.case.is_network else self._layers)()
        except (KeyError, IndexError, TypeError) as error:
            self.report.problem(self.case, "answer cannot be read: %r" % error)

    # ---- Numbers ----

    def numbers(self, what, found, value, error):
        """Compares a tensor, or a number, element by element."""
        value, error = (torch.as_tensor(t, dtype=torch.float64) for t in (value, error))
        shape = list(value.shape[1:] if self.case.vectors and what in (
            "grad_input", "predictions") else value.shape)
        if self.case.vectors and what == "loss" and value.dim() == 2:
            shape = shape_of(found)
        if shape_of(found) != shape:
            self.report.problem(self.case, "%s has shape %s, not %s" % (what, shape_of(found),
                                                                        shape))
            return
        found = torch.tensor(flat(found), dtype=torch.float64)
        if isinstance(self.answer.get("loss"), (int, float)) and what == "loss":
            pass  # a number is a double whatever the datatype
        else:
            found = self.unit.round(found)
        self._judge(what, found, value.reshape(-1), error.broadcast_to(value.shape).reshape(-1))

    def _judge(self, what, found, value, error):
        finite = value[value.abs() <= self.unit.largest].abs()
        scale = float(finite.max()) if finite.numel() else 1.0
        error = torch.where(error.isnan(), torch.full_like(error, math.inf), error)
        difference = (found - value).abs()
        both_nan = found.isnan() & value.isnan()
        beyond = value.abs() - error > self.unit.largest * (1 + self.unit.u)
        ok = (difference <= error) | both_nan | (found == value) | (beyond & found.isinf())
        wide = (error > WIDE * scale + 1e3 * self.unit.eta) & ~both_nan & (found != value)
        ok |= wide & error.isinf()
        part = float((difference / error)[~wide & (error > 0)].nan_to_num(0, 0, 0).max()) \
            if bool((~wide & (error > 0)).any()) else 0.0
        for tag in self.case.tags:
            self.report.compared[tag] += int((~wide).sum())
            self.report.wide[tag] += int(wide.sum())
            self.report.closest[tag] = max(self.report.closest[tag], part)
        if not bool(ok.all()):
            i = int((~ok).nonzero()[0])
            self.report.problem(self.case, "%s[%d] is %r, not %r (bound %.3g); %d of %d wrong" % (
                what, i, float(found[i]), float(value[i]), float(error[i]), int((~ok).sum()),
                len(ok)))

    # ---- Answers ----

    def _layers(self):
        nodes = [single(layer, self.unit) for layer in self.request["layers"]]
        made = []
        for node in nodes:
            made.append(bounds.Bounds(node, torch.zeros_like(node.x)))
            made[-1].back(torch.zeros_like(node.y))
        for node, bound, answer in zip(nodes, made, self.answer["layers"]):
            if node.kind != "dense" or "weight" in node.spelled:
                if self.wants("grad_input"):
                    self.numbers("grad_input", answer["grad_input"], node.gradient(node.x),
                                 bound.dx)
        self._deltas(nodes, made)

    def _network(self):
        network = Network(self.request, self.unit)
        made, loss_error, e_dx = bounds.of_network(network, self.request)
        if network.loss is not None:
            self.numbers("loss", self.answer["loss"], network.loss_value, loss_error)
        if "predictions" in self.request.get("outputs", ()):
            self.numbers("predictions", self.answer["predictions"], network.predictions,
                         made[-1].y)
        if self.wants("grad_input"):
            self.numbers("grad_input", self.answer["grad_input"], network.x.grad, e_dx)
        self._deltas(network.nodes, made)

    def wants(self, output):
        return "outputs" not in self.request or output in self.request["outputs"]

    def _deltas(self, nodes, made):
        layers = [options.reduce(self.request, n, b) for n, b in zip(nodes, made)]
        weights = [n.leaves["weight_delta"].detach() if n.kind == "dense" else None for n in nodes]
        reports = options.finish(self.request, layers, weights, self.unit)
        for i, (deltas, answer) in enumerate(zip(layers, self.answer["layers"])):
            for name, (value, error) in deltas.items():
                self.numbers(name, answer[name], value, error)
            extra = {k for k in answer if k.endswith("_delta")} - set(deltas)
            if extra:
                self.report.problem(self.case, "layer %d has %s" % (i, extra))
            if reports:
                self._clipping(answer["clipping"], reports[i], nodes)
        if reports:
            self._clipping(self.answer["clipping"], reports[-1], nodes)
        if self.request.get("statistics"):
            self._statistics(nodes, made)

    def _clipping(self, found, expected, nodes):
        norm, factor = expected.norm, expected.factor
        least, most = expected.held
        if not least <= found["clipped_values"] <= most:
            self.report.problem(self.case, "%d clipped values, not %d to %d" % (
                found["clipped_values"], least, most))
        self._judge("clipping", numbers_in(found, "norm", "factor"),
                    torch.tensor([norm, factor], dtype=torch.float64),
                    torch.tensor([expected.error, factor * (expected.error / max(norm, 1e-300)
                                                            + BOTH)], dtype=torch.float64))

    def _statistics(self, nodes, made):
        """Of the tensors as answered: what is held here is their arithmetic."""
        every = []
        for node, bound, answer in zip(nodes, made, self.answer["layers"]):
            for name, found in answer["statistics"].items():
                if name == "zero_derivative":
                    self._zeros(found, node, bound)
                    continue
                tensor = self.unit.round(torch.tensor(flat(answer[name]), dtype=torch.float64))
                every.append(tensor)
                self._measured(name, found, tensor)
        if self.case.is_network and "grad_input" in self.answer:
            every.append(self.unit.round(torch.tensor(flat(self.answer["grad_input"]),
                                                      dtype=torch.float64)))
        self._measured("all", self.answer["statistics"],
                       torch.cat(every) if every else torch.zeros(0, dtype=torch.float64))

    def _measured(self, name, found, tensor):
        largest = float(tensor.abs().max()) if tensor.numel() else 0.0
        bad = int((~tensor.isfinite()).sum())
        norm = largest
        if bad == 0 and largest > 0:
            norm = float((tensor / largest).square().sum().sqrt()) * largest
        if not tensor.isnan().any():
            self._judge("statistics of " + name, numbers_in(found, "l2_norm", "max_abs"),
                        torch.tensor([norm, largest], dtype=torch.float64),
                        torch.tensor([(tensor.numel() + 8) * BOTH * norm + 2.0 ** -1074, 0.0],
                                     dtype=torch.float64))
        if found["non_finite"] != bad:
            self.report.problem(self.case, "%r not finite, %d are" % (found["non_finite"], bad))

    def _zeros(self, found, node, bound):
        """Of z that are exact; a smooth f' is 0 nowhere, but may be by underflow."""
        z = node.z.detach()
        if node.function.is_matrix or bool(bound.z.any()):
            return
        slope = node.function.derivative(z)
        least = float((slope == 0).double().mean()) if node.function.name in LINEAR else 0.0
        most = float((slope.abs() < 1e-30).double().mean())
        if not least - 1e-12 <= found <= most + 1e-12:
            self.report.problem(self.case, "zero_derivative is %r, not %r to %r" % (found, least,
                                                                                   most))
