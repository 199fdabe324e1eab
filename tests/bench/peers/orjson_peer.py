"""A peer for the benchmark: the service as a user of the Python ecosystem writes it who knows
better, with FastAPI, orjson and numpy, which orjson prints without a list in between. Started by
the benchmark as `uvicorn --workers 2 orjson_peer:app`. It shares no code with the project."""

import numpy
import orjson
from fastapi import FastAPI, Request, Response

app = FastAPI()


def activation_slope(name, z):
    if name == "identity":
        return numpy.ones_like(z)
    if name == "relu":
        return (z > 0).astype(z.dtype)
    if name == "sigmoid":
        y = 1 / (1 + numpy.exp(-z))
        return y * (1 - y)
    if name == "tanh":
        return 1 - numpy.tanh(z) ** 2
    raise ValueError("unknown activation %r" % name)


def array(rows):
    return numpy.array(rows, dtype=numpy.float32)


def layer_backward(layer):
    x, z, grad_output = (array(layer[k]) for k in ("input", "pre_activation", "grad_output"))
    delta = grad_output * activation_slope(layer["activation"], z)
    return {"weight_delta": delta.T @ x, "bias_delta": delta.sum(0)}


@app.get("/livez")
def livez():
    return {}


@app.post("/v1/gradients")
async def gradients(request: Request):
    document = orjson.loads(await request.body())
    answer = {"layers": [layer_backward(layer) for layer in document["layers"]]}
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY),
                    media_type="application/json")
