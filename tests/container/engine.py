"""A Docker engine for the tests: the one that runs, or one started here and ended at the end; and
the base image, made by debootstrap where it cannot be pulled. Nothing here knows the daemon."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build" / "cache"
BASE = "debian:trixie-slim"


def client():
    """The docker command: $DOCKER, Debian's own, or whatever is on the path."""
    debian = "/usr/bin/docker"
    return os.environ.get("DOCKER") or (debian if os.path.exists(debian) else "docker")


def docker(*arguments, check=True, limit=600, merge=False):
    """Runs the client and returns what it printed; merge adds standard error to it."""
    done = subprocess.run([client(), *arguments], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=limit, check=False,
                          stderr=subprocess.STDOUT if merge else subprocess.PIPE)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: exit {done.returncode}\n"
                             f"{done.stdout}{done.stderr or ''}")
    return done.stdout.strip()


def answers():
    """Whether an engine listens where the client looks."""
    try:
        return subprocess.run([client(), "info"], capture_output=True, timeout=30,
                              check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Engine:
    """An engine of our own, below a temporary directory; for root."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="engine-", dir="/var/tmp"))
        self.log = self.folder / "log"
        socket = f"unix://{self.folder}/socket"
        command = ["dockerd", "--host", socket, "--data-root", f"{self.folder}/data",
                   "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        os.environ["DOCKER_HOST"] = socket
        self._wait(60)

    def _wait(self, seconds):
        deadline = time.monotonic() + seconds
        while not answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.log.read_text(errors="replace")[-4000:]
                self.stop()
                raise AssertionError(f"dockerd does not start; its log ends:\n{log}")
            time.sleep(0.3)

    def stop(self):
        """Ends the engine by its pid (its containers end with it) and removes its directory."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.environ.pop("DOCKER_HOST", None)
        shutil.rmtree(self.folder, ignore_errors=True)


def start():
    """An engine of our own, or None where one runs already."""
    if answers():
        return None
    if os.geteuid() != 0:
        raise AssertionError("no Docker engine answers, and only root can start one")
    return Engine()


def mirror():
    """The Debian mirror that apt uses on this machine; "" leaves it to debootstrap's default."""
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
         "Origin: Debian", "Label: Debian"], text=True, capture_output=True, check=False)
    return next(iter(found.stdout.split()), "")


def debootstrap(suite, folder):
    """Makes a minimal Debian in that folder."""
    command = ["debootstrap", "--variant=minbase", suite, str(folder)]
    done = subprocess.run([*command, mirror()] if mirror() else command, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"debootstrap {suite}: exit {done.returncode}\n{done.stdout[-4000:]}")


def _tarball():
    """The base image as a tar file, kept in build/cache."""
    tarball = CACHE / "trixie.tar"
    if not tarball.exists():
        folder = tempfile.mkdtemp(prefix="trixie-", dir="/var/tmp")
        try:
            debootstrap("trixie", folder)
            CACHE.mkdir(parents=True, exist_ok=True)
            subprocess.run(["tar", "-C", folder, "--exclude=./var/cache/apt/*.bin",
                            "--exclude=./var/cache/apt/archives/*.deb",
                            "--exclude=./var/lib/apt/lists/*", "-cf", f"{tarball}.new", "."],
                           check=True)
            os.rename(f"{tarball}.new", tarball)
        finally:
            shutil.rmtree(folder)
    return tarball


def provide_base():
    """Makes sure that the engine has the base image: as it is, pulled, or made."""
    if docker("image", "ls", "-q", BASE):
        return "present"
    try:
        docker("pull", "-q", BASE, limit=120)
        return "pulled"
    except (AssertionError, subprocess.TimeoutExpired):
        docker("import", str(_tarball()), BASE)
        return "made by debootstrap"
