"""A running container of the image, and requests to it by sockets of our own. What lives here
starts, asks and stops; what must come out of it is test_image.py's."""
import http.client
import json
import socket
import time

from engine import docker

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")

# The README's layer: ΔW = δᵀ x summed over two samples, by hand.
DOCUMENT = json.dumps({"layers": [{
    "name": "fc1", "activation": "relu", "input": [[1, 2, 3], [4, 5, 6]],
    "pre_activation": [[0.5, -1], [2, 0.25]], "grad_output": [[1, 10], [0.5, -1]]}]}).encode()
RIGHT = {"layers": [{"name": "fc1", "weight_delta": [[3, 4.5, 6], [-4, -5, -6]],
                     "bias_delta": [1.5, -1]}]}
JSON = {"Content-Type": "application/json"}


def wait_for(condition, seconds, what):
    """Polls until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.1)


def _read(connection):
    """The status and the body of the answer; the connection's last."""
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def get(address, path):
    connection = http.client.HTTPConnection(*address, timeout=20)
    connection.request("GET", path)
    return _read(connection)


def post(address, document):
    """The status and the decoded answer of POST /v1/gradients."""
    connection = http.client.HTTPConnection(*address, timeout=20)
    connection.request("POST", "/v1/gradients", document, JSON)
    status, body = _read(connection)
    return status, json.loads(body)


class Container:
    """A container, removed at the end of the with statement. Health is asked every second."""

    def __init__(self, *options, port=8080, existing=None):
        self.id = existing or docker("run", "-d", "--health-interval", "1s", *options, "gradientd")
        host = self.inspect("NetworkSettings.IPAddress") or docker(
            "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.id)
        self.address, self.admin = (host, port), (host, port + 1)
        try:
            wait_for(self.accepts, 20, "the container to listen")
        except AssertionError as error:
            logs = docker("logs", self.id, merge=True)
            if existing is None:
                self.remove()
            raise AssertionError(f"{error}; its log:\n{logs}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        docker("rm", "-f", self.id)

    def inspect(self, field):
        return docker("inspect", "-f", f"{{{{.{field}}}}}", self.id)

    def run_inside(self, *command):
        return docker("exec", self.id, *command)

    def accepts(self):
        """Whether the service's port takes a connection."""
        try:
            socket.create_connection(self.address, 5).close()
            return True
        except OSError:
            return False

    def wait_healthy(self):
        wait_for(lambda: self.inspect("State.Health.Status") == "healthy", 30,
                 f"health; last probes: {self.inspect('State.Health.Log')}")

    def stop(self):
        """docker stop, and how long it took."""
        started = time.monotonic()
        docker("stop", "-t", "30", self.id)
        return time.monotonic() - started

    def begin_post(self, document):
        """Sends the headers and half of the body, and waits until the daemon has read them."""
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        connection.putrequest("POST", "/v1/gradients")
        for name, value in {**JSON, "Content-Length": str(len(document))}.items():
            connection.putheader(name, value)
        connection.endheaders(document[:len(document) // 2])
        time.sleep(0.5)
        return connection

    @staticmethod
    def finish_post(connection, document):
        """Sends the rest and reads the answer."""
        connection.send(document[len(document) // 2:])
        status, body = _read(connection)
        return status, json.loads(body)
