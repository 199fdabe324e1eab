"""What a running daemon has given up: new privileges, core dumps, calls of the kernel and files.
That the filters refuse what they should is tests/unit/test_sandbox.c's; that nothing a daemon does
is refused, every other test shows, as their daemons are in the sandbox too."""

import glob
import os
import resource
import signal
import subprocess
import tempfile
import unittest

from support import DAEMON, SANITIZED, Case, Daemon, make_request, patience


def status_of(pid, field):
    """That field of each of the daemon's threads."""
    found = []
    for path in glob.glob("/proc/%d/task/*/status" % pid):
        with open(path) as status:
            found += [line.split()[1] for line in status if line.startswith(field + ":")]
    return found


def ends_by_abort(*flags):
    """The status with which a daemon ends that is sent SIGABRT in a folder of its own."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [os.path.abspath(DAEMON), "--listen", "127.0.0.1:0", "--admin-listen", "none", *flags],
            env=variables, stderr=subprocess.PIPE, cwd=folder,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE,
                                                  (resource.RLIM_INFINITY,) * 2))
        for line in process.stderr:
            if b'"started"' in line:
                break
        process.send_signal(signal.SIGABRT)
        status = os.waitpid(process.pid, 0)[1]
        process.stderr.close()
        process.returncode = status
        return status


class Sandbox(Case):
    def test_every_thread_is_held(self):
        with Daemon() as daemon:
            self.assertEqual(daemon.wait_log(patience(5), message="sandbox")["calls"], "limited")
            self.assertEqual(daemon.post(make_request(2, 3, 4)).status, 200)
            self.assertGreater(len(status_of(daemon.pid, "Seccomp")), 5)
            self.assertEqual(set(status_of(daemon.pid, "Seccomp")), {"2"})
            self.assertEqual(set(status_of(daemon.pid, "NoNewPrivs")), {"1"})

    def test_it_can_be_left_off(self):
        with Daemon("--sandbox", "off") as daemon:
            line = daemon.wait_log(patience(5), message="sandbox")
            self.assertEqual((line["calls"], line["files"]), ("not limited", "not limited"))
            self.assertEqual(line["level"], "info")
            # A container's own filter holds for us too.
            ours = set(status_of(os.getpid(), "Seccomp"))
            self.assertEqual(set(status_of(daemon.pid, "Seccomp")), ours)
            self.assertEqual(set(status_of(daemon.pid, "NoNewPrivs")), {"1"})

    def test_a_reload_reads_the_file_that_took_the_old_one_s_place(self):
        """By an editor, and by whoever turns a symbolic link."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("one", "two"):
                os.mkdir(os.path.join(folder, name))
                with open(os.path.join(folder, name, "conf"), "w") as file:
                    file.write("max-layers = %d\n" % len(name))
            link = os.path.join(folder, "current")
            os.symlink("one/conf", link)
            with Daemon("--config", link, "--sandbox", "on") as daemon:
                for layers, target in ((4, None), (5, "two/conf")):
                    if target is None:
                        with open(os.path.join(folder, "new"), "w") as file:
                            file.write("max-layers = 4\n")
                        os.rename(os.path.join(folder, "new"), os.path.join(folder, "one/conf"))
                    else:
                        with open(os.path.join(folder, target), "w") as file:
                            file.write("max-layers = 5\n")
                        os.symlink(target, link + ".new")
                        os.rename(link + ".new", link)
                    daemon.signal(signal.SIGHUP)
                    daemon.wait_log(patience(5), message="option changed", to=str(layers))

    def test_memory_is_written_to_no_file(self):
        ends = ends_by_abort()
        self.assertEqual(os.WTERMSIG(ends), signal.SIGABRT)
        self.assertFalse(os.WCOREDUMP(ends))
        if resource.getrlimit(resource.RLIMIT_CORE)[1] == resource.RLIM_INFINITY:
            # The sandbox keeps files from being made, core dumps too.
            ends = ends_by_abort("--core-dumps", "on", "--sandbox", "off")
            self.assertTrue(os.WCOREDUMP(ends))

    def test_a_process_that_keeps_its_memory_to_itself_still_knows_its_descriptors(self):
        with Daemon("--core-dumps", "off") as daemon:
            self.assertGreater(daemon.metrics().value("process_open_fds"), 5)
            self.assertGreater(daemon.metrics().value("process_resident_memory_bytes"), 1 << 20)


class Told(Case):
    def test_root_is_warned(self):
        with Daemon() as daemon:
            daemon.wait_log(patience(5), message="started")
            warned = daemon.records(
                level="warning", message="running as root: give the daemon a user of its own")
            self.assertEqual(len(warned), 1 if os.geteuid() == 0 else 0)


class Unconfined(Case):
    def test_a_build_without_a_sandbox_says_so(self):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
        done = subprocess.run(
            [DAEMON, "--listen", "127.0.0.1:0", "--admin-listen", "none", "--sandbox", "on"],
            env=variables, capture_output=True, text=True, check=False, timeout=patience(20))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("sandbox is on, and cannot be: this is a sanitizer's build", done.stderr)


# A sanitizer's build has no sandbox.
if SANITIZED:
    del Sandbox
else:
    del Unconfined


if __name__ == "__main__":
    unittest.main()
