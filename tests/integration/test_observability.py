"""What the daemon says of itself: metrics that add up, stages, one log line a request, the info
document; and its configuration: sources, help, and errors that name the nearest option."""

import json
import os
import re
import subprocess
import tempfile
import unittest

import oracle
from support import DAEMON, Case, Daemon, DaemonCase, body_of, build_request, make_request, patience

GOOD = body_of(make_request(3, 4, 5))
STAGES = ("receive", "decode", "queue", "compute", "encode")


class Observed(Case):
    """A fresh daemon, so that every count is known."""

    def test_metrics_add_up(self):
        with Daemon() as daemon:
            replies = [daemon.post(GOOD) for _ in range(5)]
            failures = [daemon.post(b"{"), daemon.post(b'{"layers":[]}'), daemon.get("/v1/info"),
                        daemon.get("/nothing")]
            # A request is counted when its reply has gone, which the client may see first; only the
            # pages of metrics that are asked for meanwhile come on top.
            for route, total in (("/v1/gradients", 7), ("/v1/info", 1), ("other", 1)):
                daemon.wait_metric(lambda found, total=total: found == total, patience(5),
                                   "gradientd_requests_total", route=route)
            metrics = daemon.metrics()

            def count(route, status):
                return metrics.value("gradientd_requests_total", route=route, status=status)
            self.assertEqual(count("/v1/gradients", "400"), 1)
            self.assertEqual(count("/v1/gradients", "422"), 1)
            self.assertEqual(count("/v1/info", "200"), 1)
            self.assertEqual(count("other", "404"), 1)
            received = 5 * len(GOOD) + 1 + len(b'{"layers":[]}')
            self.assertEqual(metrics.value("gradientd_received_bytes_total"), received)
            sent = sum(len(r.body) for r in replies + failures)
            self.assertGreaterEqual(metrics.value("gradientd_sent_bytes_total"), sent)
            for stage in ("decode", "compute", "encode"):
                name = "gradientd_stage_duration_seconds"
                self.assertGreaterEqual(metrics.value(name + "_count", stage=stage), 5)
                self.assertGreater(metrics.value(name + "_sum", stage=stage), 0)
                top = metrics.value(name + "_bucket", stage=stage, le="+Inf")
                self.assertEqual(top, metrics.value(name + "_count", stage=stage))
            self.assertEqual(metrics.value("gradientd_build_info"), 1)
            for name in ("gradientd_memory_leased_bytes", "gradientd_in_flight"):
                daemon.wait_metric(lambda found: found == 0, patience(5), name)
            self.assertGreater(metrics.value("gradientd_memory_budget_bytes"), 0)

    def test_exposition_is_well_formed(self):
        with Daemon() as daemon:
            response = daemon.get("/metrics", admin=True)
            self.assertRegex(response.headers["content-type"], r"^text/plain; version=0\.0\.4")
            families = re.findall(r"^# TYPE (\S+) (\S+)$", response.body.decode(), re.M)
            self.assertEqual(len(families), len({name for name, _ in families}))
            names = daemon.metrics().names()
            for name, kind in families:
                suffix = "_count" if kind == "histogram" else ""
                if name != "gradientd_requests_total":
                    self.assertIn(name + suffix, names)
                self.assertTrue(kind != "counter" or name.endswith("_total"), name)

    def test_one_log_line_a_request(self):
        with Daemon() as daemon:
            daemon.post(GOOD, headers=[("X-Request-Id", "good-1")])
            daemon.post(b'{"layers":[]}', headers=[("X-Request-Id", "bad-1")])
            daemon.wait_log(patience(5), request_id="bad-1")
            daemon.wait_log(patience(5), request_id="good-1")
            for line in daemon.lines:
                self.assertIsInstance(json.loads(line), dict)
            good, bad = daemon.records(request_id="good-1"), daemon.records(request_id="bad-1")
            self.assertEqual((len(good), len(bad)), (1, 1))
            self.assertEqual((good[0]["status"], bad[0]["status"]), (200, 422))
            self.assertEqual(good[0]["level"], "info")
            self.assertRegex(good[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertTrue(bad[0].get("code"), bad)

    def test_answers_in_the_place_of_the_library_s_are_logged(self):
        """Chunks that are none would be answered by libmicrohttpd, in the middle of a body."""
        head = build_request("POST", "/v1/gradients", headers=[
            ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
        with Daemon() as daemon:
            for size, wanted, code in ((b"zz", 400, "bad_framing"),
                                       (b"f" * 18, 413, "body_too_large")):
                with daemon.connect() as connection:
                    connection.send(head + size + b"\r\n")
                    self.assertEqual(connection.read_response().status, wanted)
                line = daemon.wait_log(patience(5), message="request", status=wanted)
                self.assertEqual(line["code"], code)
                daemon.wait_metric(lambda found: found == 1, patience(5),
                                   "gradientd_requests_total", status=str(wanted))
            self.assertEqual(daemon.records(status=0), [])

    def test_a_request_whose_headers_were_never_taken_has_no_method(self):
        with Daemon() as daemon:
            with daemon.connect() as connection:
                connection.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n")
            line = daemon.wait_log(patience(5), path="/livez", status=0)
            self.assertNotIn("method", line)

    def test_request_log_can_be_switched_off(self):
        with Daemon("--log-requests", "off") as daemon:
            daemon.post(GOOD, headers=[("X-Request-Id", "quiet-1")])
            daemon.stop()
            self.assertEqual(daemon.records(request_id="quiet-1"), [])

    def test_log_injection(self):
        with Daemon() as daemon:
            daemon.get("/%0a%22,%22level%22:%22error/\"quoted\"", headers=[("X-Request-Id", "i-1")])
            daemon.wait_log(patience(5), request_id="i-1")
            daemon.stop()
            for line in filter(None, daemon.lines):
                json.loads(line)


class Information(DaemonCase):
    """What can be asked of a running daemon."""

    def test_server_timing(self):
        for body in (GOOD, body_of(make_request(64, 100, 100))):
            header = self.daemon.post(body).headers["server-timing"]
            found = dict(re.findall(r"(\w+);dur=([0-9.]+)", header))
            self.assertEqual(set(STAGES) - set(found), set(), header)
            self.assertTrue(all(0 <= float(v) < 1e5 for v in found.values()), header)
            self.assertGreater(float(found["decode"]), 0)

    def test_info(self):
        response = self.daemon.get("/v1/info")
        self.assertEqual(response.headers["content-type"], "application/json")
        info = response.json()
        self.assertRegex(info["version"], r"^\d+\.\d+\.\d+$")
        names = [a["name"] if isinstance(a, dict) else a for a in info["activations"]]
        # The slope of prelu has a delta of its own, which oracle.py does not know.
        self.assertEqual(sorted(names), sorted([*oracle.ACTIVATIONS, "prelu"]))
        self.assertEqual(info["limits"]["max_layers"], 1024)
        self.assertEqual(info["limits"]["max_body"], 256 << 20)
        self.assertIn("json", info["encodings"])
        self.assertEqual(info["datatypes"], ["FP32", "FP64"])
        self.assertEqual(info["reductions"], ["sum", "mean", "none"])
        self.assertEqual(sorted(info["loss_reductions"]), ["batchmean", "mean", "none", "sum"])
        self.assertEqual(info["layer_types"], ["dense", "activation", "layer_norm", "batch_norm",
                                               "rms_norm", "group_norm"])
        self.assertEqual(info["outputs"], ["weight_delta", "bias_delta", "grad_input",
                                           "slope_delta", "gain_delta", "shift_delta",
                                           "predictions"])
        self.assertEqual(info["options"]["on_error"], ["abort", "continue"])
        self.assertGreaterEqual(info["workers"], 1)

    def test_info_tells_all_of_a_loss(self):
        losses = {loss["name"]: loss for loss in self.daemon.get("/v1/info").json()["losses"]}
        self.assertEqual(len(losses), 16)
        for loss in losses.values():
            self.assertTrue(loss["formula"] and loss["gradient"], loss)
            tensors = {t["name"]: t for t in loss["tensors"]}
            self.assertTrue(tensors["target"]["required"])
            self.assertEqual(tensors["sample_weight"]["shapes"], ["[B]"])
        parameters = {p["name"]: p for p in losses["cross_entropy"]["parameters"]}
        self.assertEqual(parameters["label_smoothing"]["domain"], "fraction")
        self.assertEqual((parameters["ignore_index"]["default"],
                          parameters["ignore_index"]["domain"]), (-100, "integer"))
        tensors = {t["name"]: t for t in losses["cross_entropy"]["tensors"]}
        self.assertEqual(tensors["target"]["shapes"], ["[B]", "[B,N]"])
        self.assertEqual(tensors["class_weight"], {"name": "class_weight", "shapes": ["[N]"],
                                                   "required": False})
        self.assertIs(losses["cross_entropy"]["per_sample"], True)
        self.assertIs(losses["mse"]["per_sample"], False)
        self.assertEqual(losses["mse"]["parameters"], [])
        self.assertEqual({p["name"]: p["default"] for p in losses["poisson_nll"]["parameters"]},
                         {"log_input": True, "full": False, "eps": 1e-8})
        variance = {t["name"]: t for t in losses["gaussian_nll"]["tensors"]}["variance"]
        self.assertEqual((variance["shapes"], variance["required"]), (["[B,N]", "[B,1]"], True))

    def test_health_on_both_listeners(self):
        for admin in (False, True):
            for path in ("/livez", "/readyz"):
                self.assertEqual(self.daemon.get(path, admin=admin).status, 200)


def run(*arguments, stdout=subprocess.PIPE, **variables):
    """gradientd run to its end: exit status, standard output, standard error."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
    result = subprocess.run([DAEMON, *arguments], env={**environment, **variables}, text=True,
                            stdout=stdout, stderr=subprocess.PIPE, timeout=patience(20),
                            stdin=subprocess.DEVNULL)
    return result.returncode, result.stdout, result.stderr


class Configuration(Case):
    """Flags, variables and files, without a daemon that stays."""

    def test_help(self):
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        for word in ("--listen", "--max-body", "--memory-budget", "GRADIENTD_", "127.0.0.1:8080"):
            self.assertIn(word, out)
        status, out, _ = run("--version")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"\d+\.\d+\.\d+")

    def test_standard_output_that_takes_nothing(self):
        with open("/dev/full", "wb") as full:
            for argument in ("--help", "--version", "--check-config"):
                status, _, err = run(argument, stdout=full)
                self.assertEqual(status, 1, argument)
                self.assertIn("No space left on device", err)

    def test_check_config_names_the_source_of_each_value(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("# a comment\nworkers = 3\nmax-body = 1MiB\nqueue-depth = 7\n")
            file.flush()
            status, out, err = run("--check-config", "--config", file.name, "--queue-depth=9",
                                   GRADIENTD_MAX_BODY="2MiB")
        self.assertEqual((status, err), (0, ""))
        lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
        self.assertRegex(lines["workers"], r"\b3\b.*\.conf:2")
        self.assertRegex(lines["max-body"], r"\b2MiB\b.*GRADIENTD_MAX_BODY")
        self.assertRegex(lines["queue-depth"], r"\b9\b.*--queue-depth")
        self.assertRegex(lines["listen"], r"127\.0\.0\.1:8080.*default")

    def test_errors_name_what_is_near(self):
        for arguments, variables, words in (
                (("--worker", "3"), {}, ("--worker", "workers")),
                ((), {"GRADIENTD_MAX_BDOY": "3"}, ("GRADIENTD_MAX_BDOY", "GRADIENTD_MAX_BODY")),
                (("--workers", "many"), {}, ("workers", "many")),
                (("--max-body", "1"), {}, ("max-body",)),
                (("--log-level", "loud"), {}, ("log-level", "loud")),
                (("--config", "/nonexistent/gradientd.conf"), {}, ("/nonexistent",)),
                (("--listen", "nowhere"), {}, ("listen", "nowhere")),
                (("--workers",), {}, ("workers",)), (("stray",), {}, ("stray",))):
            with self.subTest(arguments):
                status, out, err = run(*arguments, **variables)
                self.assertNotEqual(status, 0)
                self.assertEqual(out, "")
                for word in words:
                    self.assertIn(word, err)

    def test_unknown_keys_of_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("wrokers = 3\n")
            file.flush()
            status, _, err = run("--check-config", "--config", file.name)
        self.assertNotEqual(status, 0)
        self.assertIn("workers", err)
        self.assertIn(":1", err)

    def test_address_in_use(self):
        with Daemon() as daemon:
            status, _, err = run("--listen", "127.0.0.1:%d" % daemon.address[1],
                                 "--admin-listen", "127.0.0.1:0")
            self.assertNotEqual(status, 0)
            self.assertIn(str(daemon.address[1]), err)

    def test_healthcheck(self):
        with Daemon() as daemon:
            variables = {"GRADIENTD_LISTEN": "127.0.0.1:%d" % daemon.address[1],
                         "GRADIENTD_ADMIN_LISTEN": "127.0.0.1:%d" % daemon.admin[1]}
            self.assertEqual(run("healthcheck", **variables)[0], 0)
        self.assertNotEqual(run("healthcheck", **variables)[0], 0)


if __name__ == "__main__":
    unittest.main()
