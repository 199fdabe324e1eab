"""POST /v1/check on random networks of every layer kind under every loss: right gradients pass,
and of wrong claims, of the kinds that people make by hand, the wrong one is named. The same by
`gradient check`, whose exit status is the verdict. The report's form is test_networks.py's and
test_cli_check.py's."""

import copy
import fractions
import random
import unittest

import nets
import oracle
from nets import CHECK, ask, flat, tensors
from peers import gradient
from support import DaemonCase, body_of, scaled, values

LOSSES = tuple(nets.LOSSES)
EVERYTHING = {"samples": 1000}  # every element of every tensor here


def claimed(network, answer):
    """The request of a check, with the gradients of an answer as claims."""
    found = {**copy.deepcopy(network), "check": dict(EVERYTHING)}
    for layer, deltas in zip(found["layers"], answer["layers"]):
        layer.update({name: deltas[name] for name in nets.DELTAS if name in deltas})
    found["grad_input"] = answer["grad_input"]
    return found


def mapped(tensor, change):
    if isinstance(tensor, list):
        return [mapped(part, change) for part in tensor]
    return change(tensor)


def one_off(tensor):
    """The largest element off by a thousandth."""
    largest = max(map(abs, flat(tensor)))
    left = [1]

    def change(value):
        if abs(value) == largest and left:
            left.pop()
            return value * 1.001
        return value
    return mapped(tensor, change)


def shifted(tensor):
    """Numbers in each other's places: an index that was one off."""
    numbers = iter(flat(tensor)[1:] + flat(tensor)[:1])
    return mapped(tensor, lambda unused: next(numbers))


SABOTAGE = {"sign": lambda t: mapped(t, lambda v: -v),
            "twice": lambda t: mapped(t, lambda v: 2 * v),
            "one off": one_off, "shifted": shifted,
            "forgotten": lambda t: mapped(t, lambda v: 0)}


def flat_pairs(tensor):
    return [tensor] if isinstance(tensor, tuple) else [p for t in tensor for p in flat_pairs(t)]


def total(pairs):
    """(Σ middles, Σ radii)"""
    middles, radii = zip(*pairs)
    return (sum(middles), sum(radii))


def scaled_pair(pair, by):
    return (pair[0] * by, pair[1] * abs(by))


class Checks(DaemonCase):
    """What the tests below have in common."""

    def report(self, document, datatype="FP64"):
        """By (layer, tensor) what was found; layer None: the network's own."""
        report = ask(self.daemon, document, CHECK, datatype)
        found = {(t.get("layer"), t["tensor"]): t for t in report["tensors"]}
        self.assertEqual(len(found), len(report["tensors"]))
        return report["verdict"], found

    def assert_blamed(self, document, wrong, datatype="FP64"):
        """That the claims in `wrong` fail and no other, and ours pass."""
        verdict, found = self.report(document, datatype)
        self.assertEqual(verdict, "fail")
        blamed = {name for name, t in found.items() if t["claim"]["verdict"] == "fail"}
        self.assertEqual(blamed, wrong)
        self.assertNotIn("fail", [t["verdict"] for t in found.values()])

class Random(Checks):
    """Random networks, and claims about them."""

    def test_every_loss_and_layer_passes(self):
        kinks = checked = 0
        for seed in range(scaled(6, 1)):
            for loss in LOSSES:
                network = nets.make_network(seed, loss)
                with self.subTest(seed=seed, loss=loss):
                    answer = tensors(ask(self.daemon, network))
                    answer.pop((None, "loss"))
                    verdict, found = self.report({**network, "check": {"seed": seed}})
                    self.assertEqual(verdict, "pass", found)
                    self.assertEqual({(n if n is None else int(n), t) for n, t in found},
                                     set(answer))
                    self.assert_gradients(found, answer)
                    kinks += sum(t["kinks"] for t in found.values())
                    checked += sum(t["checked"] for t in found.values())
        self.assertGreater(checked, scaled(6, 1) * 15 * 50)
        self.assertLess(kinks, checked / 50)  # no way out of a check

    def assert_gradients(self, found, answer):
        """That what was checked is what /v1/backprop answers."""
        for name, part in found.items():
            if "index" in part:
                value = answer[name]
                for i in part["index"]:
                    value = value[int(i)]
                self.assertEqual(part["gradient"], value, name)

    def test_every_activation_passes(self):
        for i, activation in enumerate(nets.ACTIVATIONS):
            network = nets.make_network(i, kinds=("activation", "layer_norm"))
            network["layers"][0]["activation"] = copy.deepcopy(activation)
            if activation == "prelu":
                network["layers"][0]["activation"] = {"name": "prelu", "slope": 0.25}
            with self.subTest(activation):
                verdict, found = self.report(network)
                self.assertEqual(verdict, "pass", found)

    def test_independent_layers_pass(self):
        for seed in range(scaled(6, 2)):
            generator = random.Random(seed)
            network = nets.make_network(seed, residuals=False)
            widths = nets.widths_of(network)
            B = len(network["input"])
            for layer, K, N in zip(network["layers"], widths, widths[1:]):
                layer["input"] = values(generator, B, K)
                layer["grad_output"] = values(generator, B, N)
            verdict, found = self.report({"layers": network["layers"], "check": EVERYTHING})
            self.assertEqual(verdict, "pass", found)
            self.assertTrue(all(layer is not None for layer, _ in found))

    def test_floats_pass(self):
        """Under the tolerance of float32, in a smooth network."""
        for seed in range(scaled(10, 2)):
            network = nets.make_network(seed, LOSSES[seed], activations=nets.SMOOTH)
            verdict, found = self.report(network, "FP32")
            self.assertEqual(verdict, "pass", found)

    def test_right_claims_pass_and_wrong_ones_are_named(self):
        for seed in range(scaled(4, 1)):
            network = nets.make_network(seed, LOSSES[-seed], activations=nets.SMOOTH)
            right = claimed(network, ask(self.daemon, network))
            verdict, found = self.report(right)
            self.assertEqual(verdict, "pass", found)
            for (layer, name), part in found.items():
                if abs(part["gradient"]) > 1e-3:  # below, wrong is too little to be told
                    with self.subTest(seed=seed, layer=layer, tensor=name):
                        self.assert_sabotage(right, layer, name)

    def assert_sabotage(self, right, layer, name):
        for kind, change in SABOTAGE.items():
            wrong = copy.deepcopy(right)
            holder = wrong if layer is None else wrong["layers"][int(layer)]
            holder[name] = change(holder[name])
            if kind != "shifted" or max(flat(holder[name])) - min(flat(holder[name])) > 1e-3:
                self.assert_blamed(wrong, {(layer, name)})


class ByHand(Checks):
    """What people forget when they write a backward pass: claims by a layer that forgets it."""

    def layer(self, **members):
        generator = random.Random(2)
        return {"activation": "tanh", "weight": values(generator, 4, 4),
                "bias": values(generator, 4), "input": values(generator, 3, 4),
                "grad_output": values(generator, 3, 4), **members}

    def assert_forgotten(self, right, forgetful, wrong):
        """That the deltas of the forgetful layer as claims of the right one fail in these."""
        answer = ask(self.daemon, {"layers": [forgetful]}, nets.GRADIENTS)["layers"][0]
        self.assertLess(wrong, set(answer) | {""})
        claims = {**right, **answer}
        self.assert_blamed({"layers": [claims]}, {(0.0, name) for name in wrong})

    def test_the_factor_of_dropout(self):
        mask = [[1, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1]]
        right = self.layer(dropout={"mask": mask, "rate": 0.25})
        everything = {"weight_delta", "bias_delta", "grad_input"}
        for dropout in ({"mask": mask, "rate": 0}, {"mask": [[1] * 4] * 3, "rate": 0.25}):
            self.assert_forgotten(right, {**right, "dropout": dropout}, everything)

    def test_a_square_weight_transposed(self):
        right = self.layer(pre_activation=values(random.Random(3), 3, 4))
        turned = {**right, "weight": [list(column) for column in zip(*right["weight"])]}
        self.assert_forgotten(right, turned, {"grad_input"})

    def test_the_derivative_of_the_activation(self):
        right = self.layer(pre_activation=values(random.Random(3), 3, 4))
        everything = {"weight_delta", "bias_delta", "grad_input"}
        for activation in ("identity", "sigmoid", "softsign"):
            self.assert_forgotten(right, {**right, "activation": activation}, everything)

    def test_that_batch_norm_couples_the_samples(self):
        generator = random.Random(5)
        x = values(generator, 5, 3)
        mean = [sum(column) / 5 for column in zip(*x)]
        variance = [sum((v - m) ** 2 for v in column) / 5 for column, m in zip(zip(*x), mean)]
        right = {"type": "batch_norm", "gain": [0.5, 1, 2], "shift": [1, 2, 3], "input": x,
                 "grad_output": values(generator, 5, 3)}
        self.assert_forgotten(right, {**right, "running_mean": mean, "running_variance": variance},
                              {"grad_input"})

    def test_the_other_way_of_a_residual(self):
        generator = random.Random(6)
        first, second = ({"activation": "tanh", "weight": values(generator, 3, 3)}
                         for _ in range(2))
        right = {"layers": [{**first, "name": "a"}, {**second, "residual": "a"}],
                 "input": values(generator, 2, 3), "grad_output": values(generator, 2, 3)}
        forgetful = {**right, "layers": [first, second]}
        claims = claimed(right, ask(self.daemon, forgetful))
        self.assert_blamed(claims, {(0.0, "weight_delta"), (0.0, "bias_delta"),
                                    (None, "grad_input")})


class Finished(Checks):
    """Requests as they are sent in earnest, with a mean, a scale and decay: claims are of their
    answers, and what is checked is the loss itself."""

    OPTIONS = ({"reduction": "mean"}, {"scale": -0.01}, {"scale": 3e4, "reduction": "mean"},
               {"weight_decay": {"l2": 0.5}},
               {"weight_decay": {"l1": 0.25, "l2": 2}, "scale": -0.1, "reduction": "mean"})

    def each(self):
        for datatype in nets.DATATYPES:
            for options in self.OPTIONS:
                with self.subTest(datatype, **options):
                    yield datatype, options

    def layers(self, **options):
        """Two layers on their own, of 3 and 5 samples, of numbers that float32 has."""
        def sixteenths(*shape):
            return mapped(values(generator, *shape), lambda v: round(v * 16) / 16)
        generator = random.Random(11)
        layers = [{"activation": activation, "input": sixteenths(B, 3),
                   "pre_activation": sixteenths(B, 2), "grad_output": sixteenths(B, 2),
                   "weight": sixteenths(2, 3)} for activation, B in (("tanh", 3), ("silu", 5))]
        return {"layers": layers, "check": dict(EVERYTHING), **options}

    def by_hand(self, finished, **options):
        """The layers with the options and the oracle's deltas of those in `finished`."""
        request = self.layers(**options)
        for layer in request["layers"]:
            for name, (numbers, _) in oracle.layer_gradients(finished, layer).items():
                width = 3 if name != "bias_delta" else len(numbers)
                rows = [numbers[i:i + width] for i in range(0, len(numbers), width)]
                layer[name] = rows if name != "bias_delta" else rows[0]
        return request

    def test_the_oracles_deltas_pass(self):
        for datatype, options in self.each():
            verdict, found = self.report(self.by_hand(options, **options), datatype)
            self.assertEqual(verdict, "pass", found)
            self.assertEqual(len(found), 6)

    def test_deltas_without_an_option_fail(self):
        """A mean, a scale or a decay forgotten; grad_input knows none of them."""
        for datatype, options in self.each():
            for forgotten in options:
                finished = {k: v for k, v in options.items() if k != forgotten}
                names = ["weight_delta", "bias_delta"][:1 if forgotten == "weight_decay" else 2]
                self.assert_blamed(self.by_hand(finished, **options),
                                   {(i, n) for i in range(2) for n in names}, datatype)

    def test_the_services_deltas_pass_and_others_fail(self):
        for datatype, options in self.each():
            for seed in range(scaled(4, 1)):
                network = nets.make_network(seed, LOSSES[seed], activations=nets.SMOOTH)
                network.update(options)
                right = claimed(network, ask(self.daemon, network, datatype=datatype))
                verdict, found = self.report(right, datatype)
                self.assertEqual(verdict, "pass", found)
                plain = {k: v for k, v in network.items() if k not in options}
                self.assertEqual(self.of_ours(found), self.of_ours(self.report(
                    {**plain, "check": EVERYTHING}, datatype)[1]))
                wrong = copy.deepcopy(right)
                last = wrong["layers"][-1]
                name = next(n for n in nets.DELTAS if n in last)
                last[name] = mapped(last[name], lambda v: v * 1.01 + 0.01 * options.get("scale", 1))
                self.assert_blamed(wrong, {(len(wrong["layers"]) - 1, name)}, datatype)

    def of_ours(self, found):
        return {name: {k: v for k, v in part.items() if k != "claim"}
                for name, part in found.items()}

    def test_the_report_is_of_the_loss(self):
        """By hand: z = 11, L = (11 - 10)², ΔW = 2 x; -0.5 (2 x / 2 + 4 W) over two such samples."""
        layer = {"activation": "identity", "weight": [[1, 2]], "weight_delta": [[-5, -8]],
                 "bias_delta": [-1]}
        request = {"layers": [layer], "input": [[3, 4], [3, 4]], "scale": -0.5,
                   "reduction": "mean", "weight_decay": {"l2": 4},
                   "loss": {"name": "mse", "target": [[10], [10]], "reduction": "sum"}}
        verdict, found = self.report(request)
        self.assertEqual(verdict, "pass", found)
        for name, numbers in (("weight_delta", [12, 16]), ("bias_delta", [4])):
            for part in (found[0, name], found[0, name]["claim"]):
                if "index" in part:
                    self.assertAlmostEqual(part["gradient"], numbers[int(part["index"][-1])], 12)
                self.assertLess(part["largest_error"], 1e-9)

    def test_sequences_are_divided_by_all_their_samples(self):
        layer = {"activation": "identity", "input": [[[1, 0], [0, 1]], [[1, 1], [2, 1]]],
                 "weight": [[1, 2]], "grad_output": [[[1], [1]], [[1], [1]]],
                 "weight_delta": [[1, 0.75]], "bias_delta": [1]}
        request = {"layers": [layer], "reduction": "mean"}
        self.assertEqual(self.report(request)[0], "pass")
        layer["bias_delta"] = [2]
        self.assert_named(request, (0, "bias_delta"))

    def assert_named(self, request, wrong):
        verdict, found = self.report(request)
        self.assertEqual(verdict, "fail")
        self.assertEqual([n for n, t in found.items()
                          if t.get("claim", t)["verdict"] == "fail"], [wrong])

    def test_a_delta_that_decay_drowns_passes(self):
        """In float32, of 1 + 1e4 and the like four digits are left: no more can be asked."""
        options = {"weight_decay": {"l2": 1e4}}
        request = self.by_hand(options, **options)
        self.assertEqual(self.report(request, "FP32")[0], "pass")
        weight = request["layers"][0]["weight_delta"]
        weight[0][0] += 0.05
        self.assert_blamed(request, {(0, "weight_delta")}, "FP32")

    def test_clip_scale_0_and_none_without_claims(self):
        plain = self.layers()
        wanted = self.report(plain)
        answers = ask(self.daemon, {"layers": plain["layers"]}, nets.GRADIENTS, "FP64")["layers"]
        self.assertEqual(wanted[0], "pass")
        for options in ({"clip": {"value": 0.01}}, {"clip": {"layer_norm": 1e-3}, "scale": 2},
                        {"clip": {"global_norm": 1}}, {"scale": 0}, {"reduction": "none"}):
            request = {**plain, **options}
            self.assertEqual(self.report(request), wanted, options)
            request["layers"] = copy.deepcopy(plain["layers"])
            for layer, answer in zip(request["layers"], answers):
                layer["grad_input"] = answer["grad_input"]
            self.assertEqual(self.report(request)[0], "pass")  # no option is about grad_input

    def test_claims_that_cannot_be_freed_are_refused(self):
        for options, pointer, words in (
                ({"clip": {"value": 1}}, "/clip", "leave out the clip or the claims"),
                ({"clip": {"layer_norm": 1}}, "/clip", "leave out the clip or the claims"),
                ({"clip": {"global_norm": 1}}, "/clip", "leave out the clip or the claims"),
                ({"scale": 0}, "/scale", "claims of scale 0 cannot be checked"),
                ({"reduction": "none"}, "/reduction", "expected reduction sum or mean")):
            request = self.layers(**options)
            request["layers"][1]["bias_delta"] = [1, 2]
            problem = self.assert_problem(self.daemon.post(request, path=CHECK), 422,
                                          "unsupported_value")
            self.assertEqual(problem["pointer"], pointer)
            self.assertIn(words, problem["detail"])
            self.assertIn("layers/1/bias_delta", problem["detail"])

    def test_what_would_not_be_answered_is_not_checked(self):
        for options, pointer in (({"weight_decay": {"l2": 1}}, "/layers/0"),
                                 ({"reduction": "none", "clip": {"layer_norm": 1}},
                                  "/clip/layer_norm")):
            request = self.layers(**options)
            for layer in request["layers"]:
                del layer["weight"]
            answers = [self.daemon.post({k: v for k, v in request.items() if k != "check"},
                                        path=nets.GRADIENTS), self.daemon.post(request, path=CHECK)]
            self.assertEqual([a.status for a in answers], [422, 422])
            found = [a.json() for a in answers]
            self.assertEqual(found[0]["pointer"], pointer)
            for member in ("code", "detail", "pointer"):
                self.assertEqual(found[0].get(member), found[1].get(member))


class NotFinite(Checks):
    """Where L is not finite there are no differences; it is told where that comes from."""

    def test_a_loss_that_overflows(self):
        one = {"layers": [{"type": "activation", "activation": "identity"}], "input": [[1e200]],
               "non_finite": "allow"}
        for members, pointer in (({"loss": {"name": "mse", "target": [[-1e200]]}}, "/loss"),
                                 ({"grad_output": [["Infinity"]]}, "/grad_output")):
            response = self.daemon.post({**one, **members}, path=CHECK + "?datatype=FP64")
            problem = self.assert_problem(response, 422, "non_finite")
            self.assertEqual(problem["pointer"], pointer)
            self.assertEqual(problem["detail"], "the loss is Infinity in double precision, "
                                                "expected a finite number to take differences of")
            self.assertIn("offset", problem)


class IgnoredClass(Checks):
    """Whatever integer stands for it, float32 or not: both calls take it."""

    def test_integers_that_float32_rounds(self):
        network = {"layers": [{"activation": "log_softmax", "weight": [[1, 2], [3, 4], [5, -6]]}],
                   "input": [[0.5, 0.25], [-0.5, 1]]}
        for name in ("cross_entropy", "nll"):
            for ignored in (16777217, 2147483647, -2147483647):
                document = {**network, "loss": {"name": name, "target": [ignored, 2],
                                                "ignore_index": ignored}}
                answers = [ask(self.daemon, document, nets.BACKPROP, datatype)
                           for datatype in nets.DATATYPES]
                self.assertAlmostEqual(answers[0]["loss"], answers[1]["loss"], delta=1e-6)
                self.assertEqual(answers[0]["grad_input"][0], [0, 0])
                for datatype in nets.DATATYPES:
                    self.assertEqual(self.report(document, datatype)[0], "pass")


class Kinks(Checks):
    """Places without a derivative are told, and are no failure, whatever is claimed between."""

    def test_kinks_of_activations_and_losses(self):
        for activation, z in (("relu", 0), ("relu6", 6), ("hard_tanh", -1), ("hardswish", 3),
                              ("softshrink", 0.5), ("prelu", 0)):
            layer = {"type": "activation", "activation": activation, "input": [[z, 0.25]],
                     "grad_output": [[1, 1]]}
            verdict, found = self.report({"layers": [layer]})
            self.assertEqual((verdict, found[0, "grad_input"]["verdict"]), ("pass", "kink"))
            self.assertGreater(found[0, "grad_input"]["kinks"], 0)
        for loss, told in (("l1", "kink"), ("hinge", "kink")):
            network = {"layers": [{"type": "activation", "activation": "identity"}],
                       "input": [[1, 0.5]], "loss": {"name": loss, "target": [[1, 1]]}}
            verdict, found = self.report(network)
            self.assertEqual((verdict, found[None, "grad_input"]["verdict"]), ("pass", told))

    def test_untrained_networks_beside_a_sample_of_zeros(self):
        """Biases of zero put every unit of that sample at its kink; the loss shows none of them."""
        for seed in range(20):
            generator = random.Random(seed)
            activation = ("relu", "leaky_relu")[seed % 2]
            layers = [{"activation": activation, "weight": values(generator, 8, 4),
                       "bias": [0] * 8},
                      {"activation": "identity", "weight": values(generator, 3, 8),
                       "bias": [0] * 3}]
            network = {"layers": layers, "input": [[0] * 4, *values(generator, 1, 4)],
                       "loss": {"name": "cross_entropy", "target": [0, 2]}}
            for datatype in nets.DATATYPES:
                verdict, found = self.report(network, datatype)
                self.assertEqual(verdict, "pass")
                self.assertEqual(found[0, "bias_delta"]["verdict"], "kink")

    def test_a_claim_far_beyond_both_slopes_fails(self):
        """By more than they are apart: where kinks meet, some of that is right."""
        layer = {"type": "activation", "activation": "relu", "input": [[0, 0.25]],
                 "grad_output": [[1, 1]]}
        for claim, verdict in (([[0, 1]], "pass"), ([[1, 1]], "pass"), ([[0.5, 1]], "pass"),
                               ([[2.5, 1]], "fail"), ([[0, 1.5]], "fail"), ([[-1.5, 1]], "fail")):
            found, _ = self.report({"layers": [{**layer, "grad_input": claim}]})
            self.assertEqual(found, verdict, claim)


# f of whole numbers, and its slopes to the left and to the right of z
PIECES = {
    "relu": (lambda z: max(z, 0), lambda z: (int(z > 0), int(z >= 0))),
    "relu6": (lambda z: min(max(z, 0), 6), lambda z: (int(0 < z <= 6), int(0 <= z < 6))),
    "hard_tanh": (lambda z: min(max(z, -1), 1), lambda z: (int(-1 < z <= 1), int(-1 <= z < 1))),
    "leaky_relu": (lambda z: z if z > 0 else z / 8,
                   lambda z: (1 if z > 0 else EIGHTH, 1 if z >= 0 else EIGHTH)),
    "hardswish": (lambda z: z * min(max(z + 3, 0), 6) / 6,
                  lambda z: (0 if z <= -3 else 1 if z > 3 else (2 * z + 3) / 6,
                             0 if z < -3 else 1 if z >= 3 else (2 * z + 3) / 6))}
EIGHTH = fractions.Fraction(1, 8)


class Conventions(Checks):
    """Networks of whole numbers, as people type them, many of whose units lie on kinks: what some
    choice of slopes there gives is no failure, and what none could is one. By exact arithmetic."""

    def network(self, seed):
        """One or two hidden layers, whose f is the first that has not been yet."""
        generator = random.Random(seed)

        def whole(*shape):
            return mapped(values(generator, *shape), lambda v: round(3 * v))
        names = sorted(PIECES)
        widths = [generator.randint(1, 3) for _ in range(3 + seed % 2)]
        layers = [{"activation": names[(seed // 2 + i) % len(names)], "weight": whole(N, K),
                   "bias": whole(N)} for i, (K, N) in enumerate(zip(widths, widths[1:]))]
        for layer in layers:
            if layer["activation"] == "leaky_relu":
                layer["activation"] = {"name": "leaky_relu", "negative_slope": 0.125}
        layers[-1]["activation"] = "identity"
        return {"layers": layers, "input": whole(4, widths[0]),
                "loss": {"name": ("mse", "l1")[seed // 3 % 2], "target": whole(4, widths[-1]),
                         "reduction": "sum"}}

    def states(self, network):
        """Each layer's x and the slopes of its f; those of the loss by y."""
        x = mapped(network["input"], fractions.Fraction)
        states = []
        for layer in network["layers"]:
            z = [[sum(w * v for w, v in zip(row, sample)) + b
                  for row, b in zip(layer["weight"], layer["bias"])] for sample in x]
            f = layer["activation"]
            f, slopes = PIECES.get(f["name"] if isinstance(f, dict) else f,
                                   (lambda v: v, lambda v: (1, 1)))
            states.append((x, mapped(z, slopes)))
            x = mapped(z, f)
        off = [[v - t for v, t in zip(*rows)] for rows in zip(x, network["loss"]["target"])]
        squares = network["loss"]["name"] == "mse"
        return states, mapped(off, lambda e: (2 * e,) * 2 if squares
                              else (1 if e > 0 else -1, 1 if e >= 0 else -1))

    def backward(self, network, choose, product):
        """The deltas, as pairs, where slopes are chosen and multiplied so."""
        states, ends = self.states(network)
        dy = mapped(ends, choose)
        found = {}
        for i, (x, slopes) in reversed(list(enumerate(states))):
            layer = network["layers"][i]
            dz = [[product(d, choose(s)) for d, s in zip(*rows)] for rows in zip(dy, slopes)]
            columns = list(zip(*dz))
            found[i, "bias_delta"] = [total(column) for column in columns]
            found[i, "weight_delta"] = [[total(scaled_pair(d, sample[k])
                                               for d, sample in zip(column, x))
                                         for k in range(len(x[0]))] for column in columns]
            dy = [[total(scaled_pair(d, row[k]) for d, row in zip(sample, layer["weight"]))
                   for k in range(len(x[0]))] for sample in dz]
        found[None, "grad_input"] = dy
        return found

    def intervals(self, network):
        """By tensor (middle, radius) of each number."""
        return self.backward(network, lambda s: (fractions.Fraction(s[0] + s[1]) / 2,
                                                 abs(fractions.Fraction(s[1] - s[0])) / 2),
                             lambda d, s: (d[0] * s[0], abs(d[0]) * s[1] + abs(s[0]) * d[1]
                                           + d[1] * s[1]))

    def by_choice(self, network, generator):
        """The deltas with any slope at every kink."""
        def choose(slopes):
            share = fractions.Fraction(generator.randint(0, 4), 4)
            return (slopes[0] + share * (slopes[1] - slopes[0]), 0)
        return self.backward(network, choose, lambda d, s: (d[0] * s[0], 0))

    def with_claims(self, network, claims):
        request = {**copy.deepcopy(network), "check": EVERYTHING}
        for (layer, name), numbers in claims.items():
            holder = request if layer is None else request["layers"][layer]
            holder[name] = numbers
        return request

    def test_any_choice_of_slopes_passes(self):
        kinks = 0
        for seed in range(scaled(60, 10)):
            network = self.network(seed)
            claims = self.by_choice(network, random.Random(seed))
            verdict, found = self.report(self.with_claims(
                network, {name: mapped(t, lambda v: float(v[0]))
                          for name, t in claims.items()}))
            self.assertEqual(verdict, "pass", (seed, found))
            kinks += sum(t["kinks"] for t in found.values())
        self.assertGreater(kinks, scaled(60, 10))

    def test_what_no_choice_gives_fails(self):
        outside = 0
        for seed in range(scaled(60, 10)):
            network = self.network(seed)
            ours = tensors(ask(self.daemon, network))
            intervals = self.intervals(network)
            for factor in (2, -1, 0, 5, 1.01):
                claims = {name: mapped(ours[name], lambda v, by=factor: v * by)
                          for name in intervals}
                found = self.report(self.with_claims(network, claims))[1]
                for name, numbers in claims.items():
                    pairs = flat_pairs(intervals[name])
                    off = max(abs(v - m) - r - 1e-4 * max(abs(v), abs(m), 1)
                              for v, (m, r) in zip(flat(numbers), pairs))
                    verdict = found[name]["claim"]["verdict"]
                    with self.subTest(seed=seed, factor=factor, tensor=name):
                        if off > 0:
                            self.assertEqual(verdict, "fail")
                            outside += 1
                        elif all(abs(v - m) <= r for v, (m, r) in zip(flat(numbers), pairs)):
                            self.assertNotEqual(verdict, "fail")
        self.assertGreater(outside, scaled(400, 60))

    def test_the_interval_is_told(self):
        """By hand: z is 0, 1 and 3, so that ΔW is [8, 2] with relu'(0) = 0 and [10, 3] with 1."""
        layer = {"activation": "relu", "weight": [[1, -2]], "bias": [0],
                 "input": [[2, 1], [3, 1], [5, 1]], "grad_output": [[1], [1], [1]],
                 "weight_delta": [[-8, -2]], "bias_delta": [-2]}
        verdict, found = self.report({"layers": [layer]})
        self.assertEqual(verdict, "fail")
        for name, interval in (("weight_delta", [8, 10]), ("bias_delta", [2, 3])):
            self.assertEqual(found[0, name]["interval"], interval)
            self.assertEqual(found[0, name]["verdict"], "kink")
            self.assertEqual(found[0, name]["claim"]["verdict"], "fail")
            self.assertEqual(found[0, name]["claim"]["interval"], interval)
        layer.update(weight_delta=[[9, 2.5]], bias_delta=[2.5])
        self.assertEqual(self.report({"layers": [layer]})[0], "pass")


class CommandLine(Checks):
    """gradient check: 0 passes, 1 fails, 3 is no request."""

    def test_exit_statuses(self):
        url = self.daemon.url
        for seed in range(scaled(4, 1)):
            network = nets.make_network(seed, LOSSES[seed], activations=nets.SMOOTH)
            right = claimed(network, ask(self.daemon, network))
            wrong = copy.deepcopy(right)
            wrong["layers"][-1]["bias_delta"] = mapped(wrong["layers"][-1]["bias_delta"],
                                                       lambda v: v + 1)
            broken = copy.deepcopy(right)
            broken["layers"][-1]["bias_delta"] = [[1]]
            for document, status in ((right, 0), (wrong, 1), (broken, 3)):
                for words in (("--local",), ("--url", url)):
                    result = gradient("check", "-", "--datatype", "FP64", *words,
                                      stdin=body_of(document))
                    self.assertEqual(result.code, status, result)
                    failures = result.out.decode().count(" FAIL\n")
                    self.assertEqual(failures, {0: 0, 1: 1, 3: 0}[status], result)

    def test_finished_deltas(self):
        url = self.daemon.url
        network = {**nets.make_network(3, "mse", activations=nets.SMOOTH), "scale": -0.125,
                   "reduction": "mean", "weight_decay": {"l1": 1, "l2": 0.5}}
        right = claimed(network, ask(self.daemon, network))
        plain = claimed(network, ask(self.daemon, {**network, "scale": 1}))
        for document, words, status in ((right, "pass: ", 0), (plain, "fail: ", 1),
                                        ({**right, "clip": {"value": 1}}, "", 3)):
            for where in (("--local",), ("--url", url)):
                result = gradient("check", "-", "--datatype", "FP64", *where,
                                  stdin=body_of(document))
                self.assertEqual(result.code, status, result)
                self.assertIn(words, result.out.decode())
                self.assertEqual("leave out the clip" in result.err, status == 3)


if __name__ == "__main__":
    unittest.main()
