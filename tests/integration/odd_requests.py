"""Odd and hostile requests, byte by byte, and what each gets: the tables behind
test_odd_requests.py and test_smuggling.py. Most of them libmicrohttpd would answer itself, with a
page of HTML; where its versions differ there are three outcomes. On all three: make test-fresh
FRESH_ONLY=odd_requests."""

import ctypes
import gzip

from support import body_of, build_request, make_request

BODY = body_of(make_request(1, 2, 1))
LENGTH = b"%d" % len(BODY)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
GZIP = gzip.compress(BODY, mtime=0)
HOST = b"Host: a\r\n"
SIZED = b"Content-Length: " + LENGTH + b"\r\n"

FRAMING = "400 bad_framing"
LARGE = "413 body_too_large"
VERSION = "505 unsupported_version"
PATH = "404 unknown_path"
METHOD = "405 method_not_allowed"
QUERY = "422 unknown_field"
TYPE = "415 unsupported_media_type"
ENCODED = "400 malformed_encoding"
CODING = "415 unsupported_content_encoding"
HEADERS = "431 headers_too_large"
CLOSED = "closed"  # without an answer

VERSIONS = ("0.9.75", "1.0.1", "1.0.10")  # Debian 12's, 13's and testing's


def library_version():
    """Of the library that the daemon loads, too."""
    get = ctypes.CDLL("libmicrohttpd.so.12").MHD_get_version
    get.restype = ctypes.c_char_p
    return tuple(int(part) for part in get().decode().split("."))


def here(outcome):
    """What this version of libmicrohttpd gives; a newer one is taken for the newest known."""
    if isinstance(outcome, str):
        return outcome
    version = library_version()
    return outcome[0 if version < (1, 0) else 1 if version < (1, 0, 2) else 2]


def get(target=b"/livez", headers=HOST, version=b"HTTP/1.1", method=b"GET"):
    return method + b" " + target + b" " + version + b"\r\n" + headers + b"\r\n"


def post(headers, body=BODY):
    return b"POST /livez HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def send(headers, body=BODY, kind=b"Content-Type: application/json\r\n"):
    return b"POST /v1/gradients HTTP/1.1\r\n" + HOST + kind + headers + b"\r\n" + body


# name: bytes, what they get; the words that the detail must hold, where it is the same everywhere.
# Both listeners give the same.
LINES = {
    "no version": (b"GET /livez\r\n\r\n", FRAMING),
    "another protocol": (get(version=b"HTTP/1.1x"), FRAMING),
    "HTTP/2": (get(version=b"HTTP/2.0"), VERSION, "expected HTTP/1.1 or HTTP/1.0"),
    "HTTP/0.9": (get(version=b"HTTP/0.9"), VERSION),
    "HTTP/9.9": (get(version=b"HTTP/9.9"), VERSION),
    "HTTP/1.2": (get(version=b"HTTP/1.2"), "200"),
    "HTTP/1.10": (get(version=b"HTTP/1.10"), FRAMING),
    "HTTP/01.1": (get(version=b"HTTP/01.1"), FRAMING),
    "HTTP/1": (get(version=b"HTTP/1"), FRAMING),
    "HTTP/1.": (get(version=b"HTTP/1."), FRAMING),
    "http/1.1": (get(version=b"http/1.1"), FRAMING),
    "a blank behind the version": (get(version=b"HTTP/1.1 "), FRAMING),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    "a long line": (get(target=b"/" + b"a" * 70000), "414 uri_too_long"),
    "a stray percent sign": (get(target=b"/%"), PATH, "/%"),
    "an escape of no digits": (get(target=b"/livez%zz"), PATH, "/livez%zz"),
    "an escaped NUL": (get(target=b"/livez%00"), PATH, "/livez%00"),
    "an escaped letter": (get(target=b"/%6Civez"), PATH, "/%6Civez"),
    "an escaped slash": (get(target=b"/v1%2Finfo"), PATH),
    "an escape twice": (get(target=b"/%252e%252e/livez"), PATH),
    "dots": (get(target=b"/x/../livez"), PATH),
    "dots above the root": (get(target=b"/../livez"), PATH),
    "a dot": (get(target=b"/./livez"), PATH),
    "two slashes": (get(target=b"//livez"), PATH),
    "a slash behind": (get(target=b"/livez/"), PATH),
    "a semicolon": (get(target=b"/livez;a=b"), PATH),
    "capitals": (get(target=b"/LIVEZ"), PATH),
    "a backslash": (get(target=b"\\livez"), PATH),
    "no slash": (get(target=b"livez"), PATH),
    "a fragment": (get(target=b"/livez#a"), PATH),
    "an asterisk": (get(target=b"*"), PATH),
    "an absolute target": (get(target=b"http://a/livez"), "200"),
    "an absolute target elsewhere": (get(target=b"http://b/livez"), "200"),
    "UTF-8 in the target": (get(target="/livéz".encode()), PATH),
    "bytes that are no UTF-8": (get(target=b"/\xff\xfe"), PATH),
    "an empty query": (get(target=b"/livez?"), "200"),
    "a question mark in the query": (get(target=b"/livez??"), QUERY),
    "an ampersand": (get(target=b"/livez?&"), QUERY),
    "a parameter without a name": (get(target=b"/livez?=a"), QUERY),
    "a parameter without a value": (get(target=b"/livez?a"), QUERY),
    "a parameter with an escaped NUL": (get(target=b"/livez?a%00b=1"), QUERY),
    "a stray percent sign in the query": (get(target=b"/livez?a=%"), QUERY, "\"a\""),
    "two hundred parameters": (get(target=b"/livez?" + b"a&" * 200), QUERY),
    "950 parameters": (get(target=b"/livez?" + b"a&" * 950), HEADERS),
    "two blanks": (get(target=b" /livez"), ("200", FRAMING, FRAMING)),
    "a blank in the target": (get(target=b"/li vez"), (CLOSED, FRAMING, FRAMING)),
    "a blank before the method": (b" " + get(), CLOSED),
    "a tab in the line": (b"GET\t/livez HTTP/1.1\r\n" + HOST + b"\r\n",
                          (FRAMING, CLOSED, CLOSED)),
    "a vertical tab in the line": (b"GET\x0b/livez HTTP/1.1\r\n" + HOST + b"\r\n",
                                   (FRAMING, CLOSED, CLOSED)),
    "NUL in the target": (get(target=b"/li\0vez"), (FRAMING, CLOSED, CLOSED)),
    "a bare carriage return in the target": (get(target=b"/li\rvez"),
                                              (PATH, FRAMING, FRAMING)),
    "a blank line before": (b"\r\n" + get(), "200"),
    "two blank lines before": (b"\r\n\r\n" + get(), ("200", CLOSED, CLOSED)),
    "a line feed before": (b"\n" + get(), ("200", CLOSED, CLOSED)),
    "a method in small letters": (get(method=b"get"), METHOD),
    "a method of another protocol": (get(method=b"M-SEARCH"), METHOD),
    "a method that is no token": (get(method=b"G(T"), METHOD),
    "a long method": (get(method=b"A" * 300), METHOD),
    "TRACE": (get(method=b"TRACE"), METHOD),
    "CONNECT": (get(method=b"CONNECT", target=b"a:443"), PATH),
    "OPTIONS of an asterisk": (get(method=b"OPTIONS", target=b"*"), "204"),
    "DELETE": (get(method=b"DELETE"), METHOD),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(1, 200)) + b"\r\n\r\n",
            CLOSED),
    "an older TLS": (b"\x80\x2e\x01\x03\x01" + bytes(range(1, 46)) + b"\r\n\r\n", CLOSED),
    "noise": (bytes(range(128, 256)) * 8 + b"\r\n\r\n", CLOSED),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", CLOSED),
    "SMTP": (b"EHLO a\r\n\r\n", (FRAMING, CLOSED, CLOSED)),
    "a proxy's line": (b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + get(),
                       (FRAMING, CLOSED, CLOSED)),
}

FIELDS = {
    "no host": (get(headers=b""), FRAMING, "expected a Host, found none"),
    "no host, but a body": (b"POST /livez HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", FRAMING,
                            "expected a Host, found none"),
    "no host in HTTP/1.0": (get(headers=b"", version=b"HTTP/1.0"), "200"),
    "two hosts": (get(headers=HOST + HOST), FRAMING),
    "two hosts in HTTP/1.0": (get(headers=HOST + HOST, version=b"HTTP/1.0"), FRAMING),
    "an empty host": (get(headers=b"Host:\r\n"), "200"),
    "a host with a port": (get(headers=b"Host: a:1\r\n"), "200"),
    "a host of IPv6": (get(headers=b"Host: [::1]:8080\r\n"), "200"),
    "a name that is no token": (get(headers=HOST + b"X(y): 1\r\n"), FRAMING),
    "a name with a slash": (get(headers=HOST + b"X/y: 1\r\n"), FRAMING),
    "a name with a blank": (get(headers=HOST + b"X y: 1\r\n"), FRAMING),
    "a name in UTF-8": (get(headers=HOST + "Ä: 1\r\n".encode()), FRAMING),
    "an underscore in a name": (get(headers=HOST + b"X_Y: 1\r\n"), "200"),
    "a long name": (get(headers=HOST + b"X" * 5000 + b": 1\r\n"), "200"),
    "an empty name": (get(headers=HOST + b": 1\r\n"), FRAMING),
    "an empty value": (get(headers=HOST + b"X:\r\n"), "200"),
    "no colon": (get(headers=HOST + b"foo\r\n"), FRAMING),
    "a blank before the colon": (get(headers=b"Host : a\r\n"), FRAMING),
    "a tab before the colon": (get(headers=HOST + b"X\t: a\r\n"), FRAMING),
    "blanks and tabs around a value": (get(headers=HOST + b"X: \t a \t \r\n"), "200"),
    "a tab in a value": (get(headers=HOST + b"X: a\tb\r\n"), "200"),
    "a control character": (get(headers=HOST + b"X: a\x01b\r\n"), FRAMING),
    "DEL in a value": (get(headers=HOST + b"X: a\x7fb\r\n"), FRAMING),
    "bytes above 127 in a value": (get(headers=HOST + b"X: \xff\x80\r\n"), "200"),
    "NUL in a value": (get(headers=HOST + b"X: a\0b\r\n"), FRAMING),
    "NUL in a name": (get(headers=HOST + b"X\0Y: a\r\n"), FRAMING),
    "a bare carriage return in a value": (get(headers=HOST + b"X: a\rb\r\n"), FRAMING),
    "a folded line": (get(headers=HOST + b"X: a\r\n b\r\n"), FRAMING),
    "a folded first line": (get(headers=b" X: a\r\n" + HOST), FRAMING),
    "bare line feeds": (b"GET /livez HTTP/1.1\nHost: a\n\n", FRAMING),
    "a bare line feed behind a value": (get(headers=HOST + b"X: a\n"), FRAMING),
    "long headers": (get(headers=HOST + b"X: " + b"a" * 70000 + b"\r\n"), HEADERS),
    "many headers": (get(headers=HOST + b"X: a\r\n" * 3000), HEADERS),
    "many cookies": (get(headers=HOST + b"Cookie: " + b"a=b; " * 200 + b"\r\n"), "200"),
    "two thousand cookies": (get(headers=HOST + b"Cookie: " + b"a=b; " * 2000 + b"\r\n"),
                             (CLOSED, HEADERS, HEADERS)),
    "a cookie that is none": (get(headers=HOST + b"Cookie: ;;==\"\r\n"), "200"),
    "a wish to upgrade": (get(headers=HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
                          "200"),
    "a wish for HTTP/2": (get(headers=HOST + b"Connection: Upgrade, HTTP2-Settings\r\n"
                              b"Upgrade: h2c\r\nHTTP2-Settings: AA\r\n"), "200"),
    "a range": (get(headers=HOST + b"Range: bytes=0-0\r\n"), "200"),
    "a condition": (get(headers=HOST + b"If-None-Match: *\r\n"), "200"),
    "another type wanted": (get(headers=HOST + b"Accept: text/html;q=0\r\n"), "200"),
    "authorization that is none": (get(headers=HOST + b"Authorization: \x80?\r\n"), "200"),
    "an Expect of GET": (get(headers=HOST + b"Expect: 100-continue\r\n"), "200"),
    "a request's identity with blanks": (get(headers=HOST + b"X-Request-Id: a b\r\n"), "200"),
    "a long request's identity": (get(headers=HOST + b"X-Request-Id: " + b"a" * 500 + b"\r\n"),
                                  "200"),
    "GET with a length of 0": (get(headers=HOST + b"Content-Length: 0\r\n"), "200"),
    "5, 5": (post(b"Content-Length: 5, 5\r\n", b"12345"), FRAMING,
             "expected a Content-Length of digits alone"),
    "length +N": (post(b"Content-Length: +" + LENGTH + b"\r\n"), FRAMING),
    "length -1": (post(b"Content-Length: -1\r\n"), FRAMING),
    "length 0x": (post(b"Content-Length: 0x5\r\n"), FRAMING),
    "length 5.0": (post(b"Content-Length: 5.0\r\n"), FRAMING),
    "length 5e0": (post(b"Content-Length: 5e0\r\n"), FRAMING),
    "length 5;": (post(b"Content-Length: 5;\r\n"), FRAMING),
    "length with a blank inside": (post(b"Content-Length: 5 5\r\n"), FRAMING),
    "length in other digits": (post("Content-Length: ٥\r\n".encode(), b"12345"), FRAMING),
    "length of nothing": (post(b"Content-Length: \r\n"), FRAMING),
    "length of words": (post(b"Content-Length: ten\r\n"), FRAMING),
    "length with zeros before": (post(b"Content-Length: 000005\r\n", b"12345"), METHOD),
    "length of 63 bits": (post(b"Content-Length: 9223372036854775807\r\n"), METHOD),
    "length of 64 bits": (post(b"Content-Length: 18446744073709551615\r\n"),
                          (METHOD, LARGE, LARGE)),
    "length beyond 64 bits": (post(b"Content-Length: 184467440737095516160000\r\n"),
                              (LARGE, LARGE, FRAMING), "Content-Length"),
    "two lengths": (post(b"Content-Length: 5\r\n" + SIZED), FRAMING),
    "two equal lengths": (post(SIZED + SIZED), FRAMING),
    "a list of lengths": (post(b"Content-Length: " + LENGTH + b", " + LENGTH + b"\r\n"), FRAMING),
    "length and chunked": (post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
                           FRAMING),
    "chunked and length": (post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", CHUNKED),
                           FRAMING),
    "another coding": (post(b"Transfer-Encoding: gzip\r\n", CHUNKED), FRAMING),
    "identity": (post(b"Transfer-Encoding: identity\r\n", CHUNKED), FRAMING),
    "no coding": (post(b"Transfer-Encoding:\r\n", CHUNKED), FRAMING),
    "two codings": (post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKED), FRAMING),
    "chunked first": (post(b"Transfer-Encoding: chunked, gzip\r\n", CHUNKED), FRAMING),
    "chunked twice": (post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                           CHUNKED), FRAMING),
    "chunked, chunked": (post(b"Transfer-Encoding: chunked, chunked\r\n", CHUNKED), FRAMING),
    "chunked with a parameter": (post(b"Transfer-Encoding: chunked;a=b\r\n", CHUNKED), FRAMING),
    "xchunked": (post(b"Transfer-Encoding: xchunked\r\n", CHUNKED), FRAMING),
    "chunked in quotes": (post(b"Transfer-Encoding: \"chunked\"\r\n", CHUNKED), FRAMING),
    "chunked with a tab inside": (post(b"Transfer-Encoding: chun\tked\r\n", CHUNKED), FRAMING),
    "chunked behind a vertical tab": (post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNKED),
                                      FRAMING),
    "chunked in HTTP/1.0": (post(b"Transfer-Encoding: chunked\r\n", CHUNKED).replace(
        b"HTTP/1.1", b"HTTP/1.0"), FRAMING),
    "a blank before the length's colon": (post(b"Content-Length : " + LENGTH + b"\r\n"), FRAMING),
    "a blank in the coding's name": (post(b"Transfer-Encoding : chunked\r\n", CHUNKED), FRAMING),
}

# What only the service reads: bodies and their media types.
BODIES = {
    "a body": (send(SIZED), "200"),
    "Chunked": (send(b"transfer-encoding:  Chunked\r\n", CHUNKED), "200"),
    "no media type": (send(SIZED, kind=b""), TYPE),
    "an empty media type": (send(SIZED, kind=b"Content-Type:\r\n"), TYPE),
    "another media type": (send(SIZED, kind=b"Content-Type: text/plain\r\n"), TYPE),
    "a form": (send(SIZED, kind=b"Content-Type: application/x-www-form-urlencoded\r\n"), TYPE),
    "a media type in capitals": (send(SIZED, kind=b"Content-Type: APPLICATION/JSON\r\n"), "200"),
    "a charset": (send(SIZED, kind=b"Content-Type: application/json; charset=utf-8\r\n"), "200"),
    "another charset": (send(SIZED, kind=b"Content-Type: application/json; charset=latin1\r\n"),
                        TYPE),
    "a parameter without a value": (send(SIZED, kind=b"Content-Type: application/json; a\r\n"),
                                    TYPE),
    "an open quote": (send(SIZED, kind=b"Content-Type: application/json; charset=\"utf-8\r\n"),
                      TYPE),
    "two media types": (send(b"Content-Type: application/json\r\n" + SIZED), FRAMING),
    "gzip that is none": (send(b"Content-Encoding: gzip\r\n" + SIZED), ENCODED),
    "gzip": (send(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(GZIP), GZIP), "200"),
    "gzip with a blank before": (send(b"Content-Encoding:   gzip\r\nContent-Length: %d\r\n" %
                                      len(GZIP), GZIP), "200"),
    "gzip and nothing": (send(b"Content-Encoding: gzip\r\nContent-Length: 0\r\n", b""), ENCODED),
    "gzip with a parameter": (send(b"Content-Encoding: gzip;q=1\r\n" + SIZED), CODING),
    "gzip twice": (send(b"Content-Encoding: gzip, gzip\r\n" + SIZED), CODING),
    "two content codings in two lines": (send(b"Content-Encoding: gzip\r\n" * 2 + SIZED),
                                         FRAMING),
    "an empty content coding": (send(b"Content-Encoding:\r\n" + SIZED), CODING),
    "an unknown content coding": (send(b"Content-Encoding: br\r\n" + SIZED), CODING),
    "the coding identity": (send(b"Content-Encoding: identity\r\n" + SIZED), "200"),
    "two content codings": (send(b"Content-Encoding: identity, gzip\r\n" + SIZED), CODING),
    "an empty body": (send(b"Content-Length: 0\r\n", b""), "400 malformed_json"),
    "no body and no length": (send(b"", b""), "400 malformed_json"),
    "a body too large": (send(b"Content-Length: 1000000000000\r\n"), LARGE),
    "an Expect of something else": (send(b"Expect: tea\r\n" + SIZED), "200"),
    "an unknown parameter": (send(SIZED).replace(b"gradients ", b"gradients?a=1 "), QUERY),
}

CHUNKED_POST = build_request("POST", "/v1/gradients", headers=[
    ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])

# Behind CHUNKED_POST.
CHUNKS = {
    "an extension": (CHUNKED.replace(b"\r\n", b";a=b\r\n", 1), ("200", FRAMING, "200")),
    "an extension in quotes": (CHUNKED.replace(b"\r\n", b';a="b c"\r\n', 1),
                               ("200", FRAMING, "200")),
    "an extension behind a blank": (CHUNKED.replace(b"\r\n", b" ;a=b\r\n", 1),
                                    (FRAMING, FRAMING, "200")),
    "an extension of the last": (CHUNKED.replace(b"\r\n0\r\n", b"\r\n0;a\r\n"),
                                 ("200", FRAMING, "200")),
    "zeros before the size": (b"000" + CHUNKED, "200"),
    "many zeros before the size": (b"0" * 40 + CHUNKED, "200"),
    "a size in capitals": (b"%X\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), "200"),
    "a last size of zeros": (CHUNKED.replace(b"\r\n0\r\n", b"\r\n0000\r\n"), "200"),
    "a trailer": (CHUNKED[:-2] + b"X: 1\r\n\r\n", "200"),
    "many trailers": (CHUNKED[:-2] + b"X: 1\r\n" * 20 + b"\r\n", "200"),
    "a trailer that is a length": (CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n", "200"),
    "a trailer without a colon": (CHUNKED[:-2] + b"X 1\r\n\r\n", FRAMING),
    "a size with a sign": (b"+" + CHUNKED, FRAMING),
    "a size below zero": (b"-" + CHUNKED, FRAMING),
    "a size with 0x": (b"0x" + CHUNKED, FRAMING),
    "a size with an underscore": (CHUNKED[:1] + b"_" + CHUNKED[1:], FRAMING),
    "a size behind a blank": (b" " + CHUNKED, FRAMING),
    "a blank behind the size": (CHUNKED.replace(b"\r\n", b" \r\n", 1), FRAMING),
    "a size beyond 64 bits": (b"fffffffffffffffff" + CHUNKED, LARGE),
    "a size of letters": (b"zz\r\n" + CHUNKED, FRAMING),
    "no size": (b"\r\n" + CHUNKED, FRAMING),
    "data longer than its size": (b"4\r\n" + BODY + b"\r\n0\r\n\r\n", FRAMING),
    "data shorter than its size": (b"%x\r\n" % (len(BODY) + 9) + BODY + b"\r\n0\r\n\r\n" +
                                   b"0\r\n\r\n" * 9, "400 malformed_json"),
    "bare line feeds": (CHUNKED.replace(b"\r\n", b"\n"), ("200", FRAMING, FRAMING)),
    "a bare line feed behind data": (CHUNKED.replace(b"\r\n0", b"\n0"),
                                     ("200", FRAMING, FRAMING)),
    "bare carriage returns": (CHUNKED.replace(b"\r\n", b"\r"), FRAMING),
}

# The client ends its side here.
ENDS = {
    "nothing": (b"", CLOSED),
    "a blank line": (b"\r\n", CLOSED),
    "half a line": (b"POST /v1/gr", CLOSED),
    "a line": (b"GET /livez HTTP/1.1\r\n", CLOSED),
    "half the headers": (get()[:-2], CLOSED),
    "no body": (send(SIZED, b""), CLOSED),
    "half a body": (send(SIZED, BODY[:-9]), CLOSED),
    "half a chunk's size": (CHUNKED_POST + CHUNKED[:1], CLOSED),
    "half a chunk": (CHUNKED_POST + CHUNKED[:20], CLOSED),
    "no last chunk": (CHUNKED_POST + CHUNKED[:-5], CLOSED),
    "half a trailer": (CHUNKED_POST + CHUNKED[:-2] + b"X: 1\r\n", CLOSED),
    "a whole body": (send(SIZED), "200"),
    "a whole chunk": (CHUNKED_POST + CHUNKED, "200"),
}

# (what docs/api.md puts before the names, the table)
TABLES = (("", LINES), ("", FIELDS), ("body: ", BODIES), ("chunks: ", CHUNKS), ("end: ", ENDS))
