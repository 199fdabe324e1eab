"""A peer for the benchmark: the service of who leaves text behind, with FastAPI, msgpack and
numpy. A tensor is {"shape": [rows, columns], "bytes": its float32, little-endian}. Started by the
benchmark as `uvicorn --workers 2 msgpack_peer:app`. It shares no code with the project."""

import msgpack
import numpy
from fastapi import FastAPI, Request, Response

app = FastAPI()


def array(tensor):
    return numpy.frombuffer(tensor["bytes"], dtype="<f4").reshape(tensor["shape"])


def tensor(matrix):
    matrix = numpy.ascontiguousarray(matrix, dtype="<f4")
    return {"shape": matrix.shape, "bytes": matrix.data.cast("B")}


def layer_backward(layer):
    if layer["activation"] != "relu":
        raise ValueError("unknown activation %r" % layer["activation"])
    x, z, grad_output = (array(layer[k]) for k in ("input", "pre_activation", "grad_output"))
    delta = grad_output * (z > 0)
    return {"weight_delta": tensor(delta.T @ x), "bias_delta": tensor(delta.sum(0))}


@app.get("/livez")
def livez():
    return {}


@app.post("/v1/gradients")
async def gradients(request: Request):
    document = msgpack.unpackb(await request.body())
    answer = {"layers": [layer_backward(layer) for layer in document["layers"]]}
    return Response(msgpack.packb(answer), media_type="application/msgpack")
