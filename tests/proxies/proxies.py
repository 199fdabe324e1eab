"""The proxies, with the example configurations of deploy/proxies, each a process of this test's on
a free port of loopback. Debian's own services are left alone."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "proxies"
# What tests/proxies/fetch.sh has unpacked, where Debian's packages are not installed.
FETCHED = pathlib.Path(os.environ.get("GRADIENTD_PROXIES", "build/proxies")).resolve()
PATIENCE = 20

NGINX = """
pid {folder}/pid;
error_log {folder}/log;
daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {example};
}}
"""

APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/log
{modules}
Include {example}
"""
APACHE_MODULES = ("mpm_event", "authz_core", "reqtimeout", "proxy", "proxy_http")


def program(name):
    """The path of an installed program, or of one that was fetched."""
    folders = [str(FETCHED / "usr" / folder) for folder in ("sbin", "bin")]
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", *folders]))
    if not found:
        raise FileNotFoundError("%s: neither installed nor fetched; run tests/proxies/fetch.sh"
                                % name)
    return found


def environment():
    folders = [str(folder) for folder in (FETCHED / "usr" / "lib").glob("*-linux-gnu")]
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(folders)}


def apache_modules():
    for root in (pathlib.Path("/"), FETCHED):
        folder = root / "usr/lib/apache2/modules"
        if (folder / "mod_proxy.so").exists():
            return "\n".join("LoadModule %s_module %s/mod_%s.so" % (name, folder, name)
                             for name in APACHE_MODULES)
    raise FileNotFoundError("apache2: no modules")


def command_of(name, folder, example):
    """What starts that proxy in the foreground; its own files go to folder."""
    whole = folder / "whole.conf"
    if name == "nginx":
        whole.write_text(NGINX.format(folder=folder, example=example))
        return [program("nginx"), "-e", str(folder / "log"), "-c", str(whole)]
    if name == "apache":
        whole.write_text(APACHE.format(folder=folder, example=example, modules=apache_modules()))
        return [program("apache2"), "-DFOREGROUND", "-f", str(whole)]
    if name == "haproxy":
        return [program("haproxy"), "-db", "-f", str(example)]
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(example)]


EXAMPLE_OF = {"haproxy": "haproxy.cfg", "nginx": "nginx.conf", "apache": "apache.conf",
              "caddy": "Caddyfile"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, log):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("it does not listen:\n" + log.read_text(errors="replace"))


@contextlib.contextmanager
def running(name, service, change=lambda text: text):
    """The URL of that proxy in front of the service (host, port). change edits the example."""
    with tempfile.TemporaryDirectory() as folder:
        folder, port = pathlib.Path(folder), free_port()
        os.chmod(folder, 0o755)  # a worker may be another user
        text = (EXAMPLES / EXAMPLE_OF[name]).read_text()
        for old, new in (("127.0.0.1:8000", "127.0.0.1:%d" % port),
                         ("127.0.0.1:8080", "%s:%d" % service)):
            if old not in text:
                raise AssertionError("%s: no %s" % (name, old))
            text = text.replace(old, new)
        example = folder / EXAMPLE_OF[name]
        example.write_text(change(text))
        log = folder / "log"
        with open(log, "ab") as output:
            process = subprocess.Popen(command_of(name, folder, example), env=environment(),
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            wait_for(port, process, log)
            yield "http://127.0.0.1:%d" % port
        finally:
            process.terminate()
            process.wait(PATIENCE)
