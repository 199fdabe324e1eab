"""What must hold between the answers to related requests, whatever the right numbers are: batches
split and permuted, losses scaled, chains taken apart, states sent back, bodies cut in any place.
On random networks of every layer kind. The right numbers themselves are tests/conformance/'s."""

import copy
import functools
import json
import math
import random
import unittest

import nets
from nets import BACKPROP, DATATYPES, GRADIENTS, UNIT, ask, flat, tensors
from support import DaemonCase, body_of, build_request, make_request, scaled

SEEDS = range(scaled(15, 3))
LOSSES = tuple(nets.LOSSES)
APART = tuple(loss for loss in LOSSES if loss not in nets.FUSED)
UNCOUPLED = tuple(k for k in nets.KINDS if k != "batch_norm")  # a sample's own gradients
# Of a rounding error of one operation in a chain of dot products of up to 7 terms (and a bias), to
# a parameter's relative move: at most 8 unit roundoffs. As much again for the activations, the
# norms and the rounding between layers, and twice that as two results are compared.
ROUNDINGS = 32


def rows(document, chosen):
    """The same request with these samples only, in this order."""
    found = copy.deepcopy(document)
    found["input"] = [found["input"][b] for b in chosen]
    for layer in found["layers"]:
        if "dropout" in layer:
            layer["dropout"]["mask"] = [layer["dropout"]["mask"][b] for b in chosen]
    for name in ("target", "sample_weight", "variance", "other"):
        if name in found.get("loss", ()):
            found["loss"][name] = [found["loss"][name][b] for b in chosen]
    return found


def each_network(losses=LOSSES, **options):
    """A test of one network becomes one of a network for each seed, with the losses in turn."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            for seed in SEEDS:
                loss = losses[seed % len(losses)]
                with self.subTest(seed=seed, loss=loss):
                    test(self, nets.make_network(seed, loss, **options))
        return run
    return decorate


def with_residuals(network, place, g, brought, datatype):
    """g and the gradients by the layers that a residual connection leads to from there, added one
    after the other."""
    name = "layer%d" % (place - 1) if place > 0 else "input"
    for i, layer in enumerate(network["layers"]):
        if layer.get("residual") == name:
            g = [[a + b for a, b in zip(*pair)] for pair in zip(g, brought[i + 1])]
            g = g if datatype == "FP64" else nets.narrowed(g)
    return g


class Networks(DaemonCase):
    """What the tests below have in common."""

    def assert_near(self, found, wanted, moves, datatype, times=1.0):
        """Tensors that may differ by what rounding does to a network (nets.moves)."""
        self.assertEqual(set(found), set(wanted))
        for name, tensor in wanted.items():
            allowed = times * ROUNDINGS * UNIT[datatype] * moves[name]
            for a, b in zip(flat(found[name]), flat(tensor)):
                self.assertLessEqual(abs(a - b), allowed, (name, datatype, a, b))
            self.assertEqual(len(flat(found[name])), len(flat(tensor)), name)

    def assert_same(self, found, wanted):
        """Bit for bit: numbers are written so that they read back as they were, -0 as well."""
        self.assertEqual(repr(found), repr(wanted))


class Batches(Networks):
    """Batches, losses and options that are related."""

    @each_network(kinds=UNCOUPLED, reduction="sum")
    def test_a_batch_is_the_sum_of_its_parts(self, network):
        B = len(network["input"])
        moves = nets.moves(self.daemon, network)
        for datatype in DATATYPES:
            whole = tensors(ask(self.daemon, network, datatype=datatype))
            parts = [tensors(ask(self.daemon, rows(network, part), datatype=datatype))
                     for part in (range(B // 2), range(B // 2, B))]
            joined = {name: self.joined(name, *(p[name] for p in parts)) for name in whole}
            self.assert_near(joined, whole, moves, datatype)

    def joined(self, name, one, other):
        """grad_input is the parts' one behind the other; all else adds."""
        if name == (None, "grad_input"):
            return one + other
        return [a + b for a, b in zip(flat(one), flat(other))]

    @each_network()
    def test_permuted_samples(self, network):
        """Of batch_norm in training too: its mean and variance have no order."""
        order = list(range(len(network["input"])))
        random.Random(1).shuffle(order)
        moves = nets.moves(self.daemon, network)
        for datatype in DATATYPES:
            wanted = tensors(ask(self.daemon, network, datatype=datatype))
            found = tensors(ask(self.daemon, rows(network, order), datatype=datatype))
            wanted[None, "grad_input"] = [wanted[None, "grad_input"][b] for b in order]
            self.assert_near(found, wanted, moves, datatype)

    @each_network()
    def test_a_loss_that_is_scaled(self, network):
        """By a power of two every bit stays: all that follows the loss is linear in it."""
        del network["loss"]["sample_weight"]
        moves = nets.moves(self.daemon, network)
        for datatype in DATATYPES:
            plain = tensors(ask(self.daemon, network, datatype=datatype))
            for factor in (0.25, 1, 8, 3):
                other = copy.deepcopy(network)
                other["loss"]["sample_weight"] = [factor] * len(network["input"])
                found = tensors(ask(self.daemon, other, datatype=datatype))
                wanted = {n: [factor * v for v in flat(t)] for n, t in plain.items()}
                if factor == 3:
                    self.assert_near(found, wanted, moves, datatype, times=factor)
                else:
                    self.assert_same({n: flat(t) for n, t in found.items()}, wanted)

    @each_network()
    def test_deltas_that_are_scaled(self, network):
        """Each finished sum is multiplied and rounded once more (or once less: some are kept in
        double till then); grad_input is not."""
        for datatype in DATATYPES:
            plain = tensors(ask(self.daemon, network, datatype=datatype))
            for factor in (-0.125, 3, 0):
                found = tensors(ask(self.daemon, {**network, "scale": factor},
                                    datatype=datatype))
                for (layer, name), tensor in plain.items():
                    times = 1 if layer is None else factor
                    for a, b in zip(flat(found[layer, name]), flat(tensor)):
                        self.assertLessEqual(abs(a - times * b),
                                             2 * UNIT[datatype] * abs(times * b), name)

    @each_network()
    def test_samples_one_by_one_are_the_sum(self, network):
        """The same δ and x in both, so each delta may differ by its own sum's rounding only: B
        products and B - 1 additions, and one rounding of each sample's."""
        B = len(network["input"])
        for datatype in DATATYPES:
            by = {reduction: tensors(ask(self.daemon, {**network, "reduction": reduction},
                                         datatype=datatype))
                  for reduction in ("sum", "mean", "none")}
            for key, total in by["sum"].items():
                if key[0] is None:
                    self.assert_same((by["none"][key], by["mean"][key]), (total, total))
                    continue
                samples = [flat(t) for t in by["none"][key]]
                self.assertEqual(len(samples), B)
                columns = zip(*samples, flat(total), flat(by["mean"][key]), strict=True)
                self.assert_sums(columns, B, UNIT[datatype])

    def assert_sums(self, columns, B, unit):
        """Of each element: the samples', their sum, their mean."""
        for *parts, total, mean in columns:
            allowed = (2 * B + 7) * unit * math.fsum(map(abs, parts))  # 7: slopes add N first
            self.assertLessEqual(abs(math.fsum(parts) - total), allowed)
            self.assertLessEqual(abs(total / B - mean), 2 * unit * abs(mean))

    @each_network()
    def test_doubles_are_floats_but_for_rounding(self, network):
        moves = nets.moves(self.daemon, network)
        network["outputs"] = [*nets.DELTAS, "grad_input"]
        narrow, wide = (tensors(ask(self.daemon, network, datatype=d)) for d in DATATYPES)
        self.assert_near(narrow, wide, moves, "FP32")
        self.assertTrue(narrow != wide or not any(flat(wide[None, "grad_input"])))

    @each_network()
    def test_again(self, network):
        network["statistics"] = True
        for datatype in DATATYPES:
            path = "%s?datatype=%s" % (BACKPROP, datatype)
            bodies = {self.daemon.post(network, path=path).body for _ in range(3)}
            self.assertEqual(len(bodies), 1)


class Chains(Networks):
    """A network is its layers."""

    def states_of(self, network, datatype):
        """x and z of each layer, as networks that end there predict them."""
        states = []
        for i in range(len(network["layers"])):
            bare = nets.cut(network, i + 1)
            for name in ("dropout", "residual"):
                bare["layers"][-1].pop(name, None)
            bare["layers"][-1]["activation"] = "identity"
            z = ask(self.daemon, bare, datatype=datatype)["predictions"]
            x = network["input"]
            if i > 0:
                x = ask(self.daemon, nets.cut(network, i), datatype=datatype)["predictions"]
            states.append({"input": x, "pre_activation": z})
        return states

    def grad_output_of(self, network, datatype):
        """∂L/∂y of the last layer: the loss behind a layer that does nothing."""
        y = ask(self.daemon, nets.cut(network, len(network["layers"])),
                datatype=datatype)["predictions"]
        nothing = {"layers": [{"type": "activation", "activation": "identity"}], "input": y,
                   "loss": network["loss"]}
        return ask(self.daemon, nothing, datatype=datatype)["grad_input"]

    @each_network(APART)
    def test_a_chain_is_its_layers_one_by_one(self, network):
        for datatype in DATATYPES:
            whole = ask(self.daemon, network, datatype=datatype)
            states = self.states_of(network, datatype)
            g = self.grad_output_of(network, datatype)
            for given in (states, [{"input": s["input"]} for s in states]):
                self.assert_chain(network, datatype, whole, given, g)

    def assert_chain(self, network, datatype, whole, states, g):
        """From the last layer down, each with the grad_input of the one above, and what residual
        connections bring."""
        brought = {len(states): g}  # ∂L/∂y of each layer, counted from 1; 0: the network's input
        for i in reversed(range(len(states))):
            layer = {**network["layers"][i], **states[i], "grad_output": brought[i + 1]}
            layer.pop("residual", None)
            answer = ask(self.daemon, {"layers": [layer]}, GRADIENTS, datatype)["layers"][0]
            brought[i] = with_residuals(network, i, answer.pop("grad_input"), brought, datatype)
            self.assert_same(answer, whole["layers"][i])
        self.assert_same(brought[0], whole["grad_input"])

    @each_network(APART)
    def test_from_grad_output(self, network):
        for datatype in DATATYPES:
            whole = ask(self.daemon, network, datatype=datatype)
            g = self.grad_output_of(network, datatype)
            other = {k: v for k, v in network.items() if k != "loss"}
            found = ask(self.daemon, {**other, "grad_output": g}, datatype=datatype)
            del whole["loss"]
            self.assert_same(found, whole)

    @each_network(APART, residuals=False)
    def test_a_network_in_two(self, network):
        """The upper part's grad_input is what the lower one starts from."""
        for datatype in DATATYPES:
            whole = ask(self.daemon, network, datatype=datatype)
            for i in range(1, len(network["layers"])):
                below = nets.cut(network, i)
                y = ask(self.daemon, below, datatype=datatype)["predictions"]
                upper = ask(self.daemon, {**network, "layers": network["layers"][i:], "input": y},
                            datatype=datatype)
                del below["outputs"]
                below["grad_output"] = upper["grad_input"]
                lower = ask(self.daemon, below, datatype=datatype)
                self.assert_same((upper["loss"], lower["layers"] + upper["layers"],
                                  lower["grad_input"]),
                                 (whole["loss"], whole["layers"], whole["grad_input"]))

    @each_network()
    def test_states_sent_are_states_worked_out(self, network):
        network["outputs"] = ["predictions", *nets.DELTAS, "grad_input"]
        for datatype in DATATYPES:
            whole = ask(self.daemon, network, datatype=datatype)
            states = self.states_of(network, datatype)
            for chosen in (("pre_activation",), ("input",), ("input", "pre_activation")):
                other = copy.deepcopy(network)
                for layer, state in zip(other["layers"], states):
                    layer.update({name: state[name] for name in chosen})
                self.assert_same(ask(self.daemon, other, datatype=datatype), whole)


class Cuts(DaemonCase):
    """A body is the same body in whatever pieces it arrives."""

    def assert_same_in_pieces(self, body, path, cuts):
        wanted = self.daemon.post(body, path=path)
        self.assertEqual(wanted.status, 200, wanted)
        with self.daemon.connect() as connection:
            for chunks in cuts:
                connection.send(build_request("POST", path, body, chunks=chunks))
                found = connection.read_response()
                self.assertEqual((found.status, found.body), (200, wanted.body), chunks)

    def test_any_cut(self):
        generator = random.Random(1)
        for seed in SEEDS:
            network = nets.make_network(seed, LOSSES[seed % len(LOSSES)])
            for document, path in ((network, BACKPROP), (make_request(3, 4, 5, seed), GRADIENTS),
                                   ({**network, "check": {"samples": 2}}, nets.CHECK)):
                body = body_of(document)
                cuts = [sorted(generator.sample(range(1, len(body)), count))
                        for count in (1, 2, 10, 100)]
                self.assert_same_in_pieces(body, path, cuts)
                self.assert_same_in_pieces(body, path + "?datatype=FP64", cuts[1:3])

    def test_every_byte_a_chunk(self):
        network = nets.make_network(2, "huber", kinds=("layer_norm",))
        network["input"][0][0] = -1.25e-3
        body = json.dumps(network, indent=1).encode()
        self.assert_same_in_pieces(body, BACKPROP, [1, 2, 3, 7])
        small = body_of(nets.cut(network, 1))
        self.assert_same_in_pieces(small, BACKPROP, [[cut] for cut in range(1, len(small))])


if __name__ == "__main__":
    unittest.main()
