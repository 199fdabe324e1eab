"""The client against peers that break, stall and lie: what is tried again, what is not, and that no
wrong or short answer ever passes for a right one. The daemon has no part in it."""

import contextlib
import queue
import time
import unittest

from peers import (ANSWER, DOCUMENT, Peer, answers, closes, gradient, http, resets, sends, sleeps,
                   trickles)
from support import patience

PROBLEM = (b'{"type":"about:blank","title":"Unprocessable Content","status":422,'
           b'"detail":"layers/0/input has 2 columns","code":"shape_mismatch",'
           b'"pointer":"/layers/0/input","offset":41,"request_id":"r-1"}')


class Repeated(unittest.TestCase):
    """Faults that another try may cure."""

    def assert_cured(self, fault, tries=2):
        with Peer(fault, answers(200, ANSWER)) as peer:
            result = peer.run()
            self.assertEqual((result.code, result.out), (0, ANSWER), result.err)
            self.assertEqual(len(peer.requests), tries)
            self.assertEqual({r.body for r in peer.requests}, {DOCUMENT})

    def test_reset(self):
        self.assert_cured(resets)

    def test_closed_without_a_word(self):
        self.assert_cured(closes)

    def test_truncated_body(self):
        self.assert_cured(sends(http(200, ANSWER)[:-5]))

    def test_truncated_headers(self):
        self.assert_cured(sends(b"HTTP/1.1 200 OK\r\nContent-Le"))

    def test_truncated_chunks(self):
        self.assert_cured(sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                b"10\r\n{\"lay"))

    def test_statuses(self):
        for status in (429, 502, 503, 504):
            with self.subTest(status):
                self.assert_cured(answers(status))

    def test_large_body_is_sent_again_from_its_beginning(self):
        document = DOCUMENT + b" " * (3 << 20)
        with Peer(resets, answers(503), answers(200, ANSWER)) as peer:
            result = peer.run(stdin=document)
            self.assertEqual((result.code, result.out), (0, ANSWER), result.err)
            self.assertEqual([r.body == document for r in peer.requests], [True] * 3)


class Early(unittest.TestCase):
    """Answers that come while the body is still underway."""

    DOCUMENT = DOCUMENT + b" " * (40 << 20)
    TOO_LARGE = (b'{"type":"about:blank","title":"Content Too Large","status":413,'
                 b'"detail":"expected a body of at most 10 bytes","code":"body_too_large"}')

    UPLOADS = 5

    def connections_until_told(self, refuses, afterwards=lambda: None):
        """How many connections the uploads take, each of which ends with the refusal."""
        with Peer(refuses) as peer:
            for _ in range(self.UPLOADS):
                result = peer.run(stdin=self.DOCUMENT)
                self.assertEqual((result.code, result.out), (3, b""), result.err)
                self.assertIn("expected a body of at most 10 bytes", result.err)
                afterwards()
            return peer.connections

    def begin(self, peer):
        """Takes the headers and a MiB, and answers."""
        _, headers = peer.read_head()
        if headers.get("expect") == "100-continue":
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.file.read(1 << 20)
        peer.send(http(413, self.TOO_LARGE, "Connection: close",
                       kind="application/problem+json"))

    def test_upload_is_stopped(self):
        """What has left by then is in the kernel's buffers, some MiB."""
        taken = queue.Queue()

        def reads_on(peer):
            self.begin(peer)
            time.sleep(0.3)
            total = 0
            with contextlib.suppress(OSError):
                while piece := peer.file.read1(1 << 20):
                    total += len(piece)
            taken.put(total)
            return False
        connections = self.connections_until_told(
            reads_on, lambda: self.assertLess(taken.get(timeout=patience(10)), 20 << 20))
        self.assertEqual(connections, self.UPLOADS)

    def test_connection_is_reset_behind_the_answer(self):
        """Bytes unread make the kernel send a reset; the answer came before it. A reset that
        overtakes the reading of the answer takes it away, and another try is right then: seldom,
        where a client that goes on sending needs two for each."""
        def closes_unread(peer):
            self.begin(peer)
            return False
        self.assertLess(self.connections_until_told(closes_unread), 2 * self.UPLOADS)


class GivenUp(unittest.TestCase):
    """Faults that last: the exit code, and that the tries are counted."""

    def assert_gives_up(self, step, code, word, tries=3):
        with Peer(step) as peer:
            result = peer.run("--retries", "2")
            self.assertEqual((result.code, result.out), (code, b""), result.err)
            self.assertIn(word, result.err)
            self.assertEqual(len(peer.requests), tries)
            self.assertEqual("(3 tries)" in result.err, tries == 3, result.err)

    def test_broken_connections(self):
        for step in (resets, closes, sends(http(200, ANSWER)[:-1])):
            with self.subTest(step):
                self.assert_gives_up(step, 4, "can't be reached")

    def test_statuses(self):
        for status, code in ((429, 5), (503, 5), (502, 4), (504, 6)):
            with self.subTest(status):
                self.assert_gives_up(answers(status), code, "HTTP status %d" % status)

    def test_statuses_that_no_try_will_change(self):
        for status, code in ((400, 3), (401, 7), (403, 7), (404, 8), (408, 6), (413, 3), (422, 3),
                             (500, 8), (204, 8), (201, 8)):
            with self.subTest(status):
                self.assert_gives_up(answers(status), code, "HTTP status %d" % status, tries=1)

    def test_nobody_listens(self):
        with Peer(closes) as peer:
            url = peer.url
        result = gradient("compute", "-", "--url", url, "--retries", "1", stdin=DOCUMENT)
        self.assertEqual((result.code, result.out), (4, b""))
        self.assertIn("can't be reached", result.err)

    def test_redirections_are_not_followed(self):
        with Peer(answers(200, ANSWER)) as target:
            step = answers(307, b"", "Location: %s/v1/gradients" % target.url)
            self.assert_gives_up(step, 8, "a redirection", tries=1)
            self.assertEqual(target.requests, [])

    def test_the_problem_is_told(self):
        with Peer(answers(422, PROBLEM, kind="application/problem+json")) as peer:
            result = peer.run()
            self.assertEqual(result.code, 3)
            self.assertEqual(result.err, "gradient: layers/0/input has 2 columns "
                                         "(at byte 41, /layers/0/input)\n")

    def test_a_refusal_before_the_body_is_read(self):
        def refuses(peer):
            peer.read_head()
            peer.send(http(413, PROBLEM.replace(b"422", b"413"), "Connection: close",
                           kind="application/problem+json"))
            return False

        with Peer(refuses) as peer:
            result = peer.run(stdin=DOCUMENT + b" " * (4 << 20))
            self.assertEqual(result.code, 3, result.err)
            self.assertIn("layers/0/input has 2 columns", result.err)

    def test_an_endless_problem_is_cut(self):
        def floods(peer):
            peer.read_request()
            peer.send(http(422, b"", kind="application/problem+json", length=False))
            while peer.send(b" " * 65536):
                pass
            return False

        with Peer(floods) as peer:
            result = peer.run()
            self.assertEqual(result.code, 3, result.err)
            self.assertIn("HTTP status 422", result.err)


class WrongAnswers(unittest.TestCase):
    """A 200 that isn't right is exit code 8, at once, and prints nothing."""

    def assert_wrong(self, step):
        with Peer(step) as peer:
            result = peer.run()
            self.assertEqual((result.code, result.out), (8, b""), result.err)
            self.assertEqual(len(peer.requests), 1)

    def test_bodies(self):
        for body in (b"", b"<html>Welcome</html>", b"{}", b"[]", b"null", ANSWER + b"x",
                     ANSWER[:-1], ANSWER.replace(b"[2,4]", b"[2,4],[5]"), ANSWER + ANSWER,
                     ANSWER.replace(b"4", b"NaN"), ANSWER.replace(b"4", b"1e39"), b"\x00" * 64,
                     ANSWER.replace(b"bias_delta", b"weight_delta"), b"[" * 5000, b"\xff\xfe"):
            with self.subTest(body[:60]):
                self.assert_wrong(answers(200, body))

    def test_content_length_too_small(self):
        body = http(200, ANSWER).replace(b"Content-Length: %d" % len(ANSWER), b"Content-Length: 20")
        self.assert_wrong(sends(body))

    def test_short_body_that_ends_with_the_connection(self):
        self.assert_wrong(sends(http(200, ANSWER[:-4], length=False)))

    def test_not_http(self):
        for data in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x16", ANSWER):
            with self.subTest(data):
                self.assert_wrong(sends(data))

    def test_an_endless_answer_is_cut(self):
        def floods(peer):
            peer.read_request()
            peer.send(http(200, b'{"layers":[', length=False))
            while peer.send(b'"x",' * 16384):
                pass
            return False

        self.assert_wrong(floods)
        with Peer(floods) as peer:
            result = gradient("info", "--url", peer.url)
            self.assertEqual((result.code, result.out), (8, b""), result.err)
            self.assertIn("16777216 bytes", result.err)

    def test_right_answers_in_other_clothes(self):
        chunked = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   b"".join(b"1\r\n%c\r\n" % byte for byte in ANSWER) + b"0\r\n\r\n")
        for data in (chunked, http(200, ANSWER, length=False),
                     b"HTTP/1.1 103 Early Hints\r\n\r\n" + http(200, ANSWER),
                     http(200, ANSWER).replace(b"HTTP/1.1", b"HTTP/1.0")):
            with self.subTest(data[:60]), Peer(sends(data)) as peer:
                result = peer.run()
                self.assertEqual((result.code, result.out), (0, ANSWER), result.err)


class Requests(unittest.TestCase):
    """What the client sends."""

    def test_the_request(self):
        with Peer(answers(200, ANSWER)) as peer:
            self.assertEqual(peer.run().code, 0)
        request = peer.requests[0]
        self.assertEqual(request.line, "POST /v1/gradients HTTP/1.1")
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertEqual(request.headers["content-length"], str(len(DOCUMENT)))
        self.assertRegex(request.headers["user-agent"], r"^gradient/\d+\.\d+\.\d+$")
        self.assertNotIn("transfer-encoding", request.headers)

    def test_health_is_one_get(self):
        with Peer(answers(503)) as peer:
            result = gradient("health", "--url", peer.url + "/")
            self.assertEqual(result.code, 5, result.err)
        self.assertEqual([r.line for r in peer.requests], ["GET /readyz HTTP/1.1"])


class Silence(unittest.TestCase):
    """Peers that keep the client waiting: the total timeout holds."""

    def test_no_answer_in_time(self):
        for step in (sleeps, trickles):
            with self.subTest(step), Peer(step) as peer:
                result = peer.run("--timeout", "0.8")
                self.assertEqual((result.code, result.out), (6, b""), result.err)
                self.assertGreater(result.seconds, 0.75)
                self.assertIn("no answer in time", result.err)


if __name__ == "__main__":
    unittest.main()
