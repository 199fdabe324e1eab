"""What writers of JSON send: numbers and names that stand alone, null, true and false, other
spellings of NaN, a byte order mark; and what is told of texts that are no JSON. Texts with a
writer's name beside them are what that writer wrote, byte by byte."""

import gzip
import json
import os
import subprocess
import unittest

from nets import BACKPROP, CHECK, GRADIENTS
from support import BUILD, DaemonCase

CLIENT = os.path.join(BUILD, "gradient")
HALFWAY = "1.00000017881393421514957253748434595763683319091796875"  # of two floats: 0x1.000002p+0


def layer(members):
    return '{"layers":[{"activation":"relu",%s}]}' % members


def states(x="[[5,7]]", z="[[1]]", dy="[[2]]"):
    return '"input":%s,"pre_activation":%s,"grad_output":%s' % (x, z, dy)


def network(members, layers='{"activation":"identity","weight":[[2,1]],"bias":[0.5]}'):
    return '{"layers":[%s],"input":[[5,7]],%s}' % (layers, members)


def loss(members):
    return network('"loss":{%s}' % members)


ALONE = '"input":[[5]],"weight":[[2]]'
NORM = '"input":[[3],[5]],"grad_output":[[1],[2]],"type":"batch_norm","gain":[2]'
# A document in which something stands alone, and how it is spelled at length.
SINGLES = (
    (GRADIENTS, layer(states(z="1", dy="2")), layer(states())),
    (GRADIENTS, layer(states(dy="2")), layer(states())),
    (GRADIENTS, layer(states(x="5", z="1", dy="[2]")), layer(states("[5]", "[1]", "[2]"))),
    (GRADIENTS, layer(states(x="5", z="1")), layer(states("[[5]]"))),
    (GRADIENTS, layer(states("[5]") .replace("[[1]]", "1").replace("[[2]]", "2")),
     layer(states("[5]", "[1]", "[2]"))),
    (GRADIENTS, layer(ALONE.replace("[[2]]", "2") + ',"grad_output":-0.5,"bias":' + HALFWAY),
     layer(ALONE + ',"grad_output":[[-0.5]],"bias":[%s]' % HALFWAY)),
    (GRADIENTS, layer(states(z='{"shape":[1,1],"data":1}', dy='{"data":2,"shape":[]}')),
     layer(states())),
    (GRADIENTS, layer(states(z='{"data":1,"sizes":[1,1]}', dy='{"sizes":[1,1],"data":[2]}')),
     layer(states())),
    (GRADIENTS, layer(states() + ',"dropout":{"mask":1,"rate":0.5}'),
     layer(states() + ',"dropout":{"mask":[[1]],"rate":0.5}')),
    (GRADIENTS, layer(states() + ',"dropout":{"mask":true,"rate":0.5}'),
     layer(states() + ',"dropout":{"mask":[[1]],"rate":0.5}')),
    (GRADIENTS, layer(NORM.replace('"gain":[2]', '"gain":2') + ',"shift":1,"running_mean":4,'
                      '"running_variance":0.5'),
     layer(NORM + ',"shift":[1],"running_mean":[4],"running_variance":[0.5]')),
    (GRADIENTS, layer(states()).replace('{"layers"', '{"outputs":"bias_delta","layers"'),
     layer(states()).replace('{"layers"', '{"outputs":["bias_delta"],"layers"')),
    (GRADIENTS, layer(states(x='{"shape":2,"data":[5,7]}', z="1", dy="2")),
     layer(states("[5,7]", "[1]", "[2]"))),
    (BACKPROP, loss('"name":"mse","target":2'), loss('"name":"mse","target":[[2]]')),
    (BACKPROP, loss('"name":"mse","target":2,"sample_weight":3'),
     loss('"name":"mse","target":[[2]],"sample_weight":[3]')),
    (BACKPROP, loss('"name":"gaussian_nll","target":2,"variance":0.5'),
     loss('"name":"gaussian_nll","target":[[2]],"variance":[[0.5]]')),
    (BACKPROP, loss('"name":"bce_with_logits","target":true,"pos_weight":2'),
     loss('"name":"bce_with_logits","target":[[1]],"pos_weight":[2]')),
    (BACKPROP, loss('"name":"cosine_embedding","target":-1,"other":3'),
     loss('"name":"cosine_embedding","target":[-1],"other":[[3]]')),
    (BACKPROP, network('"loss":{"name":"cross_entropy","target":1}',
                       '{"activation":"identity","weight":[[2,1],[0,1]]}'),
     network('"loss":{"name":"cross_entropy","target":[1]}',
             '{"activation":"identity","weight":[[2,1],[0,1]]}')),
    (BACKPROP, network('"grad_output":-3'), network('"grad_output":[[-3]]')),
    (BACKPROP, network('"grad_output":' + HALFWAY), network('"grad_output":[[%s]]' % HALFWAY)),
    (BACKPROP, '{"input":5,"layers":[{"activation":"relu","weight":2}],"grad_output":[[1]]}',
     '{"input":[[5]],"layers":[{"activation":"relu","weight":[[2]]}],"grad_output":[[1]]}'),
    (CHECK, layer(states() + ',"bias_delta":2,"weight_delta":[[10,14]]'),
     layer(states() + ',"bias_delta":[2],"weight_delta":[[10,14]]')),
    (CHECK, layer(states("[[5]]") + ',"weight":3,"weight_delta":10,"grad_input":6'),
     layer(states("[[5]]") + ',"weight":[[3]],"weight_delta":[[10]],"grad_input":[[6]]')),
    (CHECK, '{"input":[5],"layers":[{"activation":"relu","weight":2}],"grad_output":1,'
     '"grad_input":2}', '{"input":[5],"layers":[{"activation":"relu","weight":[[2]]}],'
     '"grad_output":[1],"grad_input":[2]}'))

ALONE_TOLD = ("expected an array of numbers or an object, found a number; a tensor of one is [5], "
              "in a batch of one [[5]]")
TYPED = "a typed array? Array.from(x) makes an array of it"
NO_NAN = ('JSON has no NaN or Infinity: with "non_finite": "allow" the strings "NaN", "Infinity" '
          'and "-Infinity" stand for them in arrays of numbers')
# The input of a layer with '@' where the error's byte is: code, place, what is told.
INPUTS = (
    ("@5", "unexpected_type", "", ALONE_TOLD),
    ('@{"shape":[],"data":5}', "unexpected_type", "", "a tensor of one is [5]"),
    ("[1,@true]", "unexpected_type", "/1", "expected a number, found true; it stands for a number "
     "in masks and targets only"),
    ("[[1,2],[3,@false]]", "unexpected_type", "/1/1", "found false; it stands for a number in"),
    ("@true", "unexpected_type", "", "found true; it stands for a number in masks"),
    ('@{"0":0.1,"1":2}', "unexpected_type", "", TYPED),
    ('[@{"0":0.1},{"0":2}]', "unexpected_type", "/0", TYPED),
    ('{"shape":[2],"sizes":@[2],"data":[5,7]}', "duplicate_field", "/sizes",
     'expected "shape" or "sizes", which are the same, found both'),
    ('{"sizes":@[2],"data":[5,7],"shape":[2]}', "duplicate_field", "/sizes",
     'expected "shape" or "sizes", which are the same, found both'),
    ('@{"sizes":null,"data":[5,7]}', "missing_field", "", 'expected a field "shape", found none'),
    ('@{"sizes":[3],"data":[5,7]}', "shape_mismatch", "", "expected data of shape [3], found [2]"),
    ('{"shape":[2],"data":@{"0":0.1,"1":2}}', "unexpected_type", "/data", TYPED),
    ('[2,@"1e+16"]', "unexpected_type", "/1",
     'expected a number, found the string "1e+16"; numbers stand without quotes'),
    ('@"0.5"', "unexpected_type", "", '"0.5"; numbers stand without quotes'),
    ('@"AACAPwAAIEA="', "unexpected_type", "",
     '"AACAPwAAIEA="; if it is base64, it stands in an object: {"shape": [2], "datatype": "FP32", '
     '"base64": "…"}'),
    ('[@"NA"]', "unexpected_type", "/0", "R's missing value is no number"),
    ("[@null]", "unexpected_type", "/0", 'if it stands for NaN, that is spelled "NaN"'),
    ("@{}", "unexpected_type", "", "an empty object"),
    ("[1,@NaN]", "malformed_json", "/1", "expected a number, found NaN; " + NO_NAN),
    ("[@nan,1]", "malformed_json", "/0", "found nan; " + NO_NAN),
    ("[[@Inf]]", "malformed_json", "/0/0", "found Inf; " + NO_NAN),
    ("[@inf]", "malformed_json", "/0", "found inf; " + NO_NAN),
    ("[@Infinity]", "malformed_json", "/0", "found Infinity; " + NO_NAN),
    ("[@+inf]", "malformed_json", "/0", "found +inf; " + NO_NAN),
    ("[-@inf]", "malformed_number", "/0", "found -inf; " + NO_NAN),
    ("[1, -@nan]", "malformed_number", "/1", "found -nan; " + NO_NAN),
    ("[-@Infinity]", "malformed_number", "/0", "found -Infinity; " + NO_NAN),
    ("[@.5]", "malformed_json", "/0", "expected a number, found .5; JSON writes 0.5"),
    ("[-@.5]", "malformed_number", "/0", "found -.5; JSON writes -0.5"),
    ("[@+1]", "malformed_json", "/0", "found +1; JSON writes 1"),
    ("[1.@]", "malformed_number", "/0", "found 1.; JSON writes 1"),
    ("[1.@e5]", "malformed_number", "/0", "found 1.e5; JSON writes 1e5"),
    ("[0@1]", "malformed_number", "/0", "found 01; JSON writes 1"),
    ("[0@x10]", "malformed_number", "/0", "found 0x10; JSON has decimal numbers only"),
    ("[1@_000]", "malformed_number", "/0", "found 1_000; JSON writes 1000"),
    ("[1.5@d0]", "malformed_number", "/0", "found 1.5d0; JSON writes 1.5e0"),
    ("[2.5@f]", "malformed_number", "/0", "found 2.5f; JSON writes 2.5"),
    ("[1.5@.2]", "malformed_number", "/0", "expected a number, found 1.5.2"),
    ("[@True]", "malformed_json", "/0", "found True; JSON writes true"),
    ("[@undefined]", "malformed_json", "/0", "found undefined; JSON writes null"),
    ("[1, @1e39]", "number_out_of_range", "/1",
     "expected a number within float32's range, found 1e39; ?datatype=FP64 holds it"))

EMPTY = b""
# Bodies that are no JSON: the byte, all that is told.
BODIES = (
    (EMPTY, 0, "expected a JSON document, found an empty body"),
    (b"\xef\xbb\xbf", 3, "the document ends before its first value"),
    (b'{"layers":[]', 12, "the document ends before it is closed"),
    (b'{"layers":[],}', 13, "expected another field behind the comma, its name in double quotes, "
     "found '}'"),
    (b'{"id":"a" "layers":[]}', 10, "expected ',' or '}' behind a field, found '\"'"),
    (b'{"id" 1}', 6, "expected ':' behind the name of a field, found '1'"),
    (b'{"id":}', 6, "expected a JSON value, found '}'"),
    (b'{"layers":[{},]}', 14, "expected another element behind the comma, found ']'"),
    (b'{"layers":[{} {}]}', 14, "expected ',' or ']' behind an element, found '{'"),
    (b"{layers:[]}", 1, "expected the name of a field in double quotes, found layers"),
    (b"{'layers':[]}", 1, "expected a JSON value or punctuation, found '''; strings stand in "
     "double quotes"),
    (b"{} {}", 3, "expected the end of the document, found '{'"),
    (b"{}// done", 2, "expected the end of the document, found '/'; JSON has no comments, "
     "and no fractions"),
    (b"<html>", 0, "expected a JSON value or punctuation, found '<', as in HTML or XML"),
    (b'{"id":"\\x41"}', 8, "expected an escape such as \\n, \\\" or \\u00e9, found 'x'"),
    (b'{"id":"\\u00g1"}', 8, "expected four hexadecimal digits behind \\u, found 'u'"),
    (b'{"id":"\\ud800"}', 7, "expected surrogates in pairs, found \\ud800 alone"),
    (b'{"id":"a\xff"}', 8, "expected UTF-8, found byte 0xFF"),
    (b'{"id":None}', 6, "expected a JSON value, found None; JSON writes null"),
    (b'{"scale":.5,"layers":[]}', 9, "expected a JSON value, found .5; JSON writes 0.5"),
    (b'{"scale":nan,"layers":[]}', 9, "expected a JSON value, found nan; " + NO_NAN),
    (b'{"scale":Infinity,"layers":[]}', 9, "expected a JSON value, found Infinity; " + NO_NAN),
    ('{"layers":[]}'.encode("utf-16"), 0, "expected JSON in UTF-8, found UTF-16 or UTF-32"),
    ('{"layers":[]}'.encode("utf-16-be"), 0, "expected JSON in UTF-8, found UTF-16 or UTF-32"),
    ('{"layers":[]}'.encode("utf-16-le"), 1, "expected a JSON value or punctuation, found byte "
     "0x00, as in UTF-16 or UTF-32; JSON is in UTF-8"),
    ('{"layers":[]}'.encode("utf-32"), 0, "expected JSON in UTF-8, found UTF-16 or UTF-32"),
    (gzip.compress(b"{}"), 0, "expected uncompressed JSON, found gzip"),
    (b"\x28\xb5\x2f\xfd\x04\x48", 0, "expected uncompressed JSON, found zstd"),
    (b"PK\x03\x04\x14\x00", 0, "expected JSON in UTF-8, found a zip archive (as .npz and .pt files "
     "are)"),
    (b"\x93NUMPY\x01\x00", 0, "expected JSON in UTF-8, found a .npy file of NumPy's"))

# What clients write of the layer that LONG is, or of parts of it: writer, text.
LONG = layer(states("[[1,2],[3,4]]", "[[0.5],[-1]]", "[[1],[2]]"))
WRITTEN = (
    ("R 4.2, jsonlite 1.8.4, auto_unbox = TRUE, digits = NA",
     '{"layers":[{"activation":"relu","input":[[1,2],[3,4]],"pre_activation":[[0.5],[-1]],'
     '"grad_output":[[1],[2]],"bias":0.5}]}'),
    ("Octave 7.3, jsonencode, one output", '{"layers":[{"activation":"relu","input":[[1,2],[3,4]],'
     '"pre_activation":{"shape":[2,1],"data":[0.5,-1]},"grad_output":{"shape":[2,1],"data":[1,2]},'
     '"bias":0.5}]}'),
    ("Ruby 3.1.2, JSON 2.6.1", '{"layers":[{"activation":"relu","input":[[1.0,2.0],[3.0,4.0]],'
     '"pre_activation":[[0.5],[-1.0]],"grad_output":[[1.0],[2.0]],"weight":null,"bias":null}]}'),
    ("Python 3.11, json, of a dataclass", '{"id": null, "outputs": null, "layers": [{"activation": '
     '"relu", "input": [[1.0, 2.0], [3.0, 4.0]], "pre_activation": [[0.5], [-1.0]], "grad_output": '
     '[[1.0], [2.0]], "weight": null, "name": null, "dropout": null, "residual": null}]}'))
# What they write that is refused: writer, the input, what is told.
WRITTEN_INPUTS = (
    ("Node.js 20.20.2, JSON.stringify of a Float32Array", '@{"0":0.10000000149011612,"1":2}',
     TYPED),
    ("Node.js 20.20.2, of an array of them", '[@{"0":1},{"0":2}]', TYPED),
    ("PHP 8.2, json_encode of [1 => 0.5, 2 => 0.25]", '@{"1":0.5,"2":0.25}', "array_values($x)"),
    ("Lua, lua-cjson 2.1 of {[0]=1, [1]=2}", '@{"0":1,"1":2}', "typed array?"),
    ("R 4.2, jsonlite 1.8.4 of NULL", "@{}", "an empty object"),
    ("R 4.2, jsonlite 1.8.4 of NA", '[1,@"NA"]', "missing value"),
    ("Perl, JSON::PP 4.07 of -9**9**9", "[-@Inf]", NO_NAN),
    ("Perl, JSON::PP 4.07 of 1e16", '[@"1e+16"]', "numbers stand without quotes"),
    ("Python 3.11, json of float('nan')", "[@NaN, -Infinity]", NO_NAN),
    ("Ruby 3.1.2, allow_nan", "[@NaN,-Infinity]", NO_NAN))


def at(text):
    """The text without its mark, and where that stands."""
    return text.replace("@", ""), text.index("@")


class Documents(DaemonCase):

    def answer(self, text, path=GRADIENTS, datatype="FP32", **options):
        body = text if isinstance(text, bytes) else text.encode()
        return self.daemon.post(body, path=path + "?datatype=" + datatype, **options)

    def assert_same(self, one, other, path=GRADIENTS, datatype="FP32"):
        found = self.answer(one, path, datatype)
        wanted = self.answer(other, path, datatype)
        self.assertEqual(wanted.status, 200, wanted)
        self.assertEqual(found.status, 200, found)
        self.assertEqual(found.body, wanted.body)

    def test_what_stands_alone(self):
        """It is as if it were spelled at length, to the bit."""
        for path, one, other in SINGLES:
            for datatype in ("FP32", "FP64"):
                with self.subTest(one, datatype=datatype):
                    self.assertNotEqual(one, other)
                    self.assert_same(one, other, path, datatype)

    def test_what_stands_alone_in_every_cut(self):
        path, one, other = SINGLES[5]
        wanted = self.answer(other, path).body
        with self.daemon.connect() as connection:
            for cut in range(1, len(one)):
                found = connection.request("POST", path, one.encode(), chunks=[cut])
                self.assertEqual(found.body, wanted, cut)

    def test_numbers_alone_layer_by_layer(self):
        """Under continue the layer whose rank nothing tells is answered with its error."""
        text = ('{"on_error":"continue","layers":[{"activation":"relu",%s},'
                '{"activation":"relu",%s},{"activation":"relu",%s}]}' % (
                    states(z="1", dy="2"), states("5", "1", "2"), states(dy="1e39")))
        layers = self.answer(text).json()["layers"]
        self.assertEqual(layers[0], {"weight_delta": [[10, 14]], "bias_delta": [2]})
        self.assertEqual((layers[1]["error"]["pointer"], layers[1]["error"]["offset"]),
                         ("/layers/1/input", text.index('"input":5') + len('"input":')))
        self.assertEqual(layers[1]["error"]["detail"], ALONE_TOLD)
        self.assertEqual(layers[2]["error"]["code"], "number_out_of_range")
        self.assertIn("?datatype=FP64 holds it", layers[2]["error"]["detail"])

    def test_wrong_shapes_alone(self):
        """A number is a tensor of one, and never more."""
        for members, pointer in ((states("[[5,7]]") + ',"weight":2', "weight"),
                                 (states("[[1],[2]]", "1", "[[1],[2]]"), "pre_activation"),
                                 (states("[[1,2]]", "[[1,2]]", "[[1,2]]") + ',"bias":1', "bias")):
            self.assert_problem(self.answer(layer(members)), 422, "shape_mismatch",
                                pointer="/layers/0/" + pointer)

    def test_null_is_none(self):
        bare = layer(states())
        for null in ('"id":null,"outputs":null,"reduction":null,"scale":null,"clip":null,'
                     '"weight_decay":null,"statistics":null,"non_finite":null,"on_error":null,'
                     '"encoding":null', '"clip":{"value":null,"global_norm":null},"weight_decay":'
                     '{"l1":null}', '"some_later_option":null', '"check":null,"loss":null'):
            with self.subTest(null):
                self.assert_same(bare.replace('{"layers"', '{%s,"layers"' % null), bare)
        self.assert_same(layer(states() + ',"name":null,"type":null,"weight":null,"bias":null,'
                               '"gain":null,"epsilon":null,"dropout":null,"residual":null,'
                               '"weight_delta":null'), bare)
        self.assert_same(bare.replace('"relu"', '{"name":"leaky_relu","negative_slope":null}'),
                         bare.replace('"relu"', '"leaky_relu"'))
        self.assert_same(bare.replace("[[5,7]]", '{"shape":[1,2],"data":[5,7],"datatype":null}'),
                         bare)
        self.assert_same(loss('"name":"huber","target":[[1]],"delta":null,"reduction":null,'
                              '"sample_weight":null,"variance":null'),
                         loss('"name":"huber","target":[[1]]'), BACKPROP)
        self.assert_same(network('"loss":null,"grad_output":[[1]]'),
                         network('"grad_output":[[1]]'), BACKPROP)
        self.assert_same('{"check":{"samples":null,"tolerance":null},"loss":null,"input":null,' +
                         bare[1:], bare, CHECK)

    def test_null_where_something_must_be(self):
        for text, path, pointer in (
                ('{"layers":null}', GRADIENTS, None),
                ('{"layers":[{"activation":null}]}', GRADIENTS, "/layers/0"),
                (layer(states()).replace('"relu"', '{"name":null}'), GRADIENTS,
                 "/layers/0/activation"),
                (layer(states(x='{"shape":[1],"data":null}')), GRADIENTS, "/layers/0/input"),
                (layer(states() + ',"dropout":{"mask":null,"rate":0.5}'), GRADIENTS,
                 "/layers/0/dropout"),
                (loss('"name":"mse","target":null'), BACKPROP, "/loss"),
                (layer(states(dy="null")), GRADIENTS, "/layers/0"),
                (layer(states(x="null")), GRADIENTS, "/layers/0")):
            with self.subTest(text):
                problem = self.assert_problem(self.answer(text, path), 422, "missing_field",
                                              pointer=pointer)
                self.assertIn("null", problem["detail"])
        twice = layer(states())[:-3] + ',"activation":null}]}'
        self.assert_problem(self.answer(twice), 422, "duplicate_field")
        problem = self.assert_problem(self.answer(layer(states())[:-2] + ",null]}"), 422,
                                      "unexpected_type", pointer="/layers/1")
        self.assertEqual(problem["detail"], "expected a layer, found null")

    def test_true_and_false(self):
        """They are 1 and 0 in masks and in targets, beside numbers too, however they are cut."""
        dropped = layer(states("[[1,2]]", "[[1,2,3]]", "[[1,1,1]]") +
                        ',"dropout":{"mask":%s,"rate":0.5}')
        self.assert_same(dropped % "[[true,false,1]]", dropped % "[[1,0,1]]")
        self.assert_same(dropped % '{"shape":[1,3],"data":[false,true,1]}', dropped % "[[0,1,1]]")
        wide = '{"activation":"identity","weight":[[2,1],[0,1],[1,1]]}'
        text = '"loss":{"name":"%s","target":%s}'
        for name in ("cross_entropy", "bce_with_logits", "mse"):
            one = network(text % (name, "[[true,false, false ]]"), wide)
            other = network(text % (name, "[[1,0,0]]"), wide)
            for datatype in ("FP32", "FP64"):
                self.assert_same(one, other, BACKPROP, datatype)
        wanted = self.answer(other, BACKPROP).body
        with self.daemon.connect() as connection:
            for cut in range(1, len(one)):
                found = connection.request("POST", BACKPROP, one.encode(), chunks=[cut])
                self.assertEqual(found.body, wanted, cut)
        problem = self.assert_problem(self.answer(network(text % ("hinge", "[[true,false,true]]"),
                                                          wide), BACKPROP), 422, "bad_parameter")
        self.assertEqual(problem["detail"], "loss/target/0/1 is 0, expected -1 or 1")

    def test_the_first_fault_counts(self):
        """Behind true in a mask something that is no number, and the other way round elsewhere."""
        mask = layer(states() + ',"dropout":{"mask":[[true,"x"]],"rate":0.5}')
        self.assert_problem(self.answer(mask), 422, "unexpected_type",
                            pointer="/layers/0/dropout/mask/0/1")
        self.assert_problem(self.answer(layer(states(x='[[true,"x"]]'))), 422, "unexpected_type",
                            pointer="/layers/0/input/0/0")

    def test_other_spellings_of_what_is_not_finite(self):
        text = '{"non_finite":"allow",' + layer(states())[1:]
        for spelled, words in (("NaN", ("nan", "NAN", "Nan", "-nan", "+NaN", "-NaN")),
                               ("Infinity", ("inf", "Inf", "INF", "+inf", "+Infinity", "infinity")),
                               ("-Infinity", ("-inf", "-Inf", "-INF", "-infinity"))):
            for word in words:
                with self.subTest(word):
                    self.assert_same(text.replace("[5,7]", '[5,"%s"]' % word),
                                     text.replace("[5,7]", '[5,"%s"]' % spelled))
        problem = self.assert_problem(self.answer(layer(states("[[5,\"inf\"]]"))), 422,
                                      "non_finite", pointer="/layers/0/input/0/1")
        self.assertIn("is Infinity, expected a finite number", problem["detail"])

    def test_inputs(self):
        for text, code, place, told in INPUTS:
            members, offset = at(layer(states(x=text)
                                       .replace('"pre_activation":[[1]]', '"pre_activation":1')
                                       .replace('"grad_output":[[2]]', '"grad_output":2')))
            with self.subTest(text):
                status = 400 if code.startswith("malformed") else 422
                for chunks in (None, [1]):
                    options = {} if chunks is None else {"chunks": chunks}
                    problem = self.assert_problem(self.answer(members, **options), status, code,
                                                  pointer="/layers/0/input" + place, offset=offset)
                    self.assertIn(told, problem["detail"])

    def test_ranks(self):
        """A wrong rank of the right numbers is told with the spelling that mends it."""
        for path, text, pointer, told in RANKS:
            with self.subTest(text):
                problem = self.assert_problem(self.answer(text, path), 422, "shape_mismatch",
                                              pointer=pointer)
                found = problem["detail"].partition(" is spelled")
                self.assertEqual(bool(told), bool(found[1]), problem)
                self.assertTrue(problem["detail"].endswith(told), problem)

    def test_bodies(self):
        for body, offset, told in BODIES:
            with self.subTest(body):
                for path in (GRADIENTS, BACKPROP, CHECK):
                    problem = self.assert_problem(self.answer(body, path), 400, "malformed_json",
                                                  offset=offset)
                    self.assertEqual(problem["detail"], told)
                for cut in range(1, len(body)):
                    response = self.answer(body, chunks=[cut])
                    problem = self.assert_problem(response, 400, "malformed_json", offset=offset)
                    self.assertEqual(problem["detail"], told, cut)

    def test_a_byte_order_mark(self):
        """It is passed over at the beginning and nowhere else, and counts as bytes."""
        mark = b"\xef\xbb\xbf"
        bare = layer(states()).encode()
        self.assert_same(mark + bare, bare)
        for cut in range(1, 6):
            self.assertEqual(self.answer(mark + bare, chunks=[cut]).body, self.answer(bare).body)
        wrong = mark + bare.replace(b"relu", b"reul")
        problem = self.assert_problem(self.answer(wrong), 422, "unknown_name")
        self.assertEqual(problem["offset"], wrong.index(b'"reul"'))
        for body in (mark + mark + bare, b" " + mark + bare, bare + mark):
            self.assert_problem(self.answer(body), 400, "malformed_json")

    def test_what_was_written(self):
        for writer, text in WRITTEN:
            with self.subTest(writer):
                self.assert_same(text, LONG)

    def test_what_was_written_and_is_refused(self):
        for writer, text, told in WRITTEN_INPUTS:
            members, offset = at(layer(states(x=text)))
            with self.subTest(writer):
                problem = self.answer(members).json()
                self.assertEqual(problem["offset"], offset)
                self.assertIn(told, problem["detail"])

    def test_numbers_of_epsilon(self):
        """0 is one, and eps another name of it; a variance of 0 then has no finite result."""
        norm = ('{"layers":[{"type":"%s",%s"gain":[1,1],"input":[[1,2],[3,5]],'
                '"grad_output":[[1,0],[1,2]]}]}')
        for kind in ("layer_norm", "batch_norm"):
            for value in ("0", "1e-3", "null"):
                self.assert_same(norm % (kind, '"eps":%s,' % value),
                                 norm % (kind, '"epsilon":%s,' % value), GRADIENTS, "FP64")
        exact = self.answer(norm % ("layer_norm", '"eps":0,'), datatype="FP64").json()["layers"][0]
        self.assertEqual(exact["gain_delta"], [-1 - 1, 0 + 2])  # x̂ of two numbers is -1, 1
        self.assertEqual(exact["grad_input"], [[0, 0], [0, 0]])
        still = (norm % ("layer_norm", '"eps":0,')).replace("[3,5]", "[3,3]")
        problem = self.assert_problem(self.answer(still), 422, "non_finite")
        self.assertRegex(problem["pointer"], "^/layers/0/(gain_delta|grad_input)/")
        for members, code, pointer in (
                ('"eps":-1,', "bad_parameter", "/layers/0/epsilon"),
                ('"eps":"0",', "unexpected_type", "/layers/0/eps"),
                ('"eps":1,"epsilon":1,', "duplicate_field", "/layers/0/eps")):
            text = norm % ("layer_norm", members)
            problem = self.assert_problem(self.answer(text), 422, code, pointer=pointer)
            self.assertTrue(text.index('"eps"') <= problem["offset"] <= text.index(',"gain"'))
        nll = loss('"name":"poisson_nll","log_input":false,"target":[[1]],"%s":0')
        self.assert_same(nll % "epsilon", nll % "eps", BACKPROP)


# Tensors whose rank alone is wrong: path, document, place, how the right one is spelled.
RANKS = (
    (GRADIENTS, layer(states("[[1,2],[3,4]]", "[0.5,-1]", "[1,2]")), "/layers/0/pre_activation",
     '; [2,1] is spelled [[1],[2]] or {"shape": [2,1], "data": [1,2]}'),
    (GRADIENTS, layer(states("[1,2,3]", "[[1],[2],[3]]", "[[1],[2],[3]]")),
     "/layers/0/pre_activation",
     '; [3,1] is spelled [[1],[2],[3]] or {"shape": [3,1], "data": [1,2,3]}'),
    (GRADIENTS, layer(states("[[1,2]]", "[[1,2,3]]", "[1,2,3]")), "/layers/0/pre_activation",
     '; [1,3] is spelled [[1,2,3]] or {"shape": [1,3], "data": [1,2,3]}'),
    (GRADIENTS, layer('"input":[[1],[2]],"grad_output":[1,2],"weight":[[1]]'),
     "/layers/0/grad_output", '; [2,1] is spelled [[1],[2]] or {"shape": [2,1], "data": [1,2]}'),
    (GRADIENTS, layer(states("[[1,2]]", "[[1,2]]", "[[1,2]]") + ',"weight":[1,2,3,4]'),
     "/layers/0/weight", '; [2,2] is spelled [[1,2],[3,4]] or {"shape": [2,2], "data": [1,2,3,4]}'),
    (GRADIENTS, layer(states("[[1],[2],[3],[4],[5]]", "[1,2,3,4,5]", "[[1],[2],[3],[4],[5]]")),
     "/layers/0/pre_activation",
     '; [5,1] is spelled [[1],[2],[3],…] or {"shape": [5,1], "data": [1,2,3,…]}'),
    (GRADIENTS, layer(states("[[1,2]]", "[[1,2]]", "[[1,2]]") + ',"bias":[[1],[2]]'),
     "/layers/0/bias", '; [2] is spelled [1,2] or {"shape": [2], "data": [1,2]}'),
    (GRADIENTS, layer(states("[[1]]", "[[1,2]]", "[[1,2]]") +
                      ',"dropout":{"mask":[1,1],"rate":0.5}'), "/layers/0/dropout/mask",
     '; [1,2] is spelled [[1,2]] or {"shape": [1,2], "data": [1,2]}'),
    (BACKPROP, loss('"name":"mse","target":[1]'), "/loss/target",
     '; [1,1] is spelled [[1]] or {"shape": [1,1], "data": [1]}'),
    (BACKPROP, loss('"name":"mse","target":[[1]],"sample_weight":[[1]]'), "/loss/sample_weight",
     '; [1] is spelled [1] or {"shape": [1], "data": [1]}'),
    (BACKPROP, network('"grad_output":[3]'), "/grad_output",
     '; [1,1] is spelled [[1]] or {"shape": [1,1], "data": [1]}'),
    (BACKPROP, network('"grad_output":[[3]]', '{"activation":"relu","pre_activation":[1]}'),
     "/layers/0", '; [1,1] is spelled [[1]] or {"shape": [1,1], "data": [1]}'),
    (CHECK, layer(states() + ',"weight_delta":[1,2]'), "/layers/0/weight_delta",
     '; [1,2] is spelled [[1,2]] or {"shape": [1,2], "data": [1,2]}'),
    # Where no spelling mends it, none is told.
    (GRADIENTS, layer(states("[[1,2],[3,4]]", "[0.5,-1,2]", "[1,2]")), "/layers/0/pre_activation",
     ""),
    (GRADIENTS, layer(states("[[1,2]]", "[[1,2]]", "[[1,2]]") + ',"weight":[1,2,3]'),
     "/layers/0/weight", ""),
    (BACKPROP, loss('"name":"mse","target":[1,2]'), "/loss/target", ""))


class CommandLine(unittest.TestCase):
    """The same words from the command line, without a daemon."""

    def test_words(self):
        texts = [row for row in BODIES if row[0][:1] == b"{" and b"\0" not in row[0]]
        self.assertGreater(len(texts), 12)  # the command line has its own words for other files
        for body, offset, told in texts:
            with self.subTest(body):
                found = subprocess.run([CLIENT, "compute", "--local", "-"], input=body,
                                       capture_output=True, check=False)
                self.assertNotEqual(found.returncode, 0)
                self.assertIn(told, found.stderr.decode())
                self.assertIn("byte %d" % offset, found.stderr.decode())

    def test_what_stands_alone(self):
        for path, one, other in SINGLES:
            if path != CHECK:
                what = "backprop" if path == BACKPROP else "compute"
                self.assertEqual(self.run_locally(what, one), self.run_locally(what, other))

    def run_locally(self, what, text):
        found = subprocess.run([CLIENT, what, "--local", "-"],
                               input=text.encode(), capture_output=True, check=False)
        self.assertEqual(found.returncode, 0, found.stderr)
        return json.loads(found.stdout)


if __name__ == "__main__":
    unittest.main()
