#!/bin/sh
# libcurl with GnuTLS: a client certificate that is not there looks like a connection that failed
# Version: libcurl 7.88.1 of Debian 12, built with GnuTLS 3.7.9 and with OpenSSL 3.0.
# Guessed: CURLE_SSL_CERTPROBLEM (58), "problem with the local client certificate", as documented.
# Seen: by OpenSSL it is. By GnuTLS it is CURLE_SSL_CONNECT_ERROR (35), as of a peer that speaks no
# TLS: whoever tries again after a broken connection does so here, to the last try. So look at the
# files before the first one.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libcurl3-gnutls 7.88.1
debian_package libcurl4 7.88.1
command -v python3 >/dev/null || skip "python3 is not installed"
cat >run.py <<'PYTHON'
import ctypes
import socket

URL, CERTIFICATE, KEY, TIMEOUT_MS = 10002, 10025, 10087, 155  # CURLOPT_…

for name in ("libcurl-gnutls.so.4", "libcurl.so.4"):
    curl = ctypes.CDLL(name)
    curl.curl_easy_init.restype = ctypes.c_void_p
    with socket.create_server(("127.0.0.1", 0)) as listener:
        easy = ctypes.c_void_p(curl.curl_easy_init())
        url = b"https://127.0.0.1:%d/" % listener.getsockname()[1]
        for option, value in ((URL, url), (CERTIFICATE, b"/nowhere"), (KEY, b"/nowhere")):
            curl.curl_easy_setopt(easy, option, ctypes.c_char_p(value))
        curl.curl_easy_setopt(easy, TIMEOUT_MS, ctypes.c_long(10000))
        print(name, curl.curl_easy_perform(easy))
PYTHON
verdict 'libcurl-gnutls.so.4 35
libcurl.so.4 58' "$(python3 run.py)" "libcurl $found: 35 by GnuTLS, 58 by OpenSSL"
