"""A peer for the benchmark: the service as a user of the Python ecosystem writes it, with FastAPI,
ujson and PyTorch from Debian's packages. Started by the benchmark as
`uvicorn --workers 2 fastapi_peer:app`. It shares no code with the project."""

import torch
import ujson
from fastapi import FastAPI, Request, Response

torch.set_num_threads(1)
app = FastAPI()


def activation_slope(name, z):
    if name == "identity":
        return torch.ones_like(z)
    if name == "relu":
        return (z > 0).to(z.dtype)
    if name == "sigmoid":
        y = torch.sigmoid(z)
        return y * (1 - y)
    if name == "tanh":
        return 1 - torch.tanh(z) ** 2
    raise ValueError("unknown activation %r" % name)


def layer_backward(layer):
    x = torch.tensor(layer["input"], dtype=torch.float32)
    z = torch.tensor(layer["pre_activation"], dtype=torch.float32)
    grad_output = torch.tensor(layer["grad_output"], dtype=torch.float32)
    delta = grad_output * activation_slope(layer["activation"], z)
    return {"weight_delta": (delta.T @ x).tolist(), "bias_delta": delta.sum(0).tolist()}


@app.get("/livez")
def livez():
    return {}


@app.post("/v1/gradients")
async def gradients(request: Request):
    document = ujson.loads(await request.body())
    answer = {"layers": [layer_backward(layer) for layer in document["layers"]]}
    return Response(ujson.dumps(answer), media_type="application/json")
