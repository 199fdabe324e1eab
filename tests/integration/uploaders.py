"""Clients that upload a file by POST, each in its own way, and what each of them was answered. The
daemon may answer before it has read the body; who sends on for a while must get that answer too."""

import http.client
import json
import os
import re
import subprocess
import sys

from support import BUILD, patience

PATH = "/v1/gradients"
MEDIA_TYPE = "application/problem+json"
PIECE = 65536


class Lost(Exception):
    """No answer, or none of the service's own."""


def document(size):
    """A good request of about that many bytes, whatever its reader takes of it."""
    numbers = ",".join("1.2345678" for _ in range(size // 10))
    return ('{"layers":[{"activation":"identity","input":[[%s]],"pre_activation":[[1]],'
            '"grad_output":[[1]]}]}' % numbers).encode()


def check(status, media_type, body):
    """(status, code) of a whole problem document."""
    if not media_type.startswith(MEDIA_TYPE):
        raise Lost("%s, %s: %.100r" % (status, media_type, body))
    problem = json.loads(body)
    if problem["status"] != int(status):
        raise Lost("status line %s, document %s" % (status, problem))
    return int(status), problem["code"]


def run(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=patience(60), check=False)


def curl(*options):
    def upload(url, path):
        done = run(["curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code} %{content_type}",
                    "-H", "Content-Type: application/json", *options, "--data-binary", "@" + path,
                    url + PATH])
        if done.returncode != 0:
            raise Lost("curl: exit %d %s" % (done.returncode, done.stderr.strip()))
        body, last = done.stdout.rsplit("\n", 1)
        return check(*last.split(" ", 1), body)
    return upload


def pieces(path):
    with open(path, "rb") as file:
        while True:
            piece = file.read(PIECE)
            if not piece:
                return
            yield piece


def python(chunked):
    """http.client sends all of a body before it reads."""
    def upload(url, path):
        connection = http.client.HTTPConnection(url.split("//")[1], timeout=patience(60))
        headers = {"Content-Type": "application/json"}
        if not chunked:
            headers["Content-Length"] = str(os.path.getsize(path))
        try:
            connection.request("POST", PATH, pieces(path), headers, encode_chunked=chunked)
            response = connection.getresponse()
            return check(response.status, response.getheader("Content-Type", ""), response.read())
        except (OSError, http.client.HTTPException) as error:
            raise Lost("http.client: %r" % error) from error
        finally:
            connection.close()
    return upload


NODE = """
const [url, path, chunked] = process.argv.slice(1);
const file = require('fs').readFileSync(path);
const stream = () => new ReadableStream({start(c) {
  for (let at = 0; at < file.length; at += 65536) c.enqueue(file.subarray(at, at + 65536));
  c.close(); }});
fetch(url, {method: 'POST', headers: {'Content-Type': 'application/json'}, duplex: 'half',
            body: chunked === 'yes' ? stream() : file})
  .then(async (r) => console.log(JSON.stringify(
    [r.status, r.headers.get('content-type') || '', await r.text()])))
  .catch((e) => { console.error(`${e.message}: ${e.cause && e.cause.code}`); process.exit(1); });
"""


def node(chunked, program="node"):
    """fetch, which undici makes."""
    def upload(url, path):
        done = run([program, "-e", NODE, url + PATH, path, "yes" if chunked else "no"])
        if done.returncode != 0:
            raise Lost("node: " + done.stderr.strip())
        return check(*json.loads(done.stdout))
    return upload


# What the command line exits with, and the status that it then must have been answered.
EXITS = {3: 413, 5: 503}


def gradient(url, path):
    """The command line; what it says of the answer is its exit status and the detail."""
    done = run([os.path.join(BUILD, "gradient"), "--url", url, "compute", path])
    status = EXITS.get(done.returncode)
    words = {413: ("body_too_large", r"expected a body of at most \d+ bytes"),
             503: ("queue_timeout", r"within queue-timeout")}
    if status is None or not re.search(words[status][1], done.stderr):
        raise Lost("gradient: exit %d %s" % (done.returncode, done.stderr.strip()))
    return status, words[status][0]


# The clients that every test machine has. Without Expect the body is underway at the answer.
DIRECT = {
    "curl": curl("-H", "Expect:"),
    "curl, Expect": curl("-H", "Expect: 100-continue"),
    "curl, chunked": curl("-H", "Expect:", "-H", "Transfer-Encoding: chunked"),
    "http.client": python(False),
    "http.client, chunked": python(True),
    "gradient": gradient,
}
