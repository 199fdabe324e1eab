#!/bin/sh
# libmicrohttpd with TLS: a client whose handshake fails is not told why
# Versions: 0.9.75, 1.0.1, 1.0.10 (Debian 12, 13, testing), TLS by GnuTLS.
# Guessed: a client of TLS 1.2 at a server of TLS 1.3 gets the alert protocol_version (RFC 8446,
# section 6.2), as from other servers, and its library names it.
# Seen: the connection is closed without an alert; the client's library reports an end of file, as
# of a network that broke, and whoever tries again after those does so here. GnuTLS leaves alerts
# to whoever calls gnutls_handshake, and libmicrohttpd sends none. A good handshake is answered.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libmicrohttpd-dev 0.9.75 1.0.1 1.0.10
for program in openssl python3; do
    command -v $program >/dev/null || skip "$program is not installed"
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=localhost -keyout key.pem -out certificate.pem 2>/dev/null
cat >server.c <<'C'
#include <microhttpd.h>
#include <stdio.h>

static char certificate[8192], key[8192];

static void read_text(const char *path, char text[8192])
{
    FILE *file = fopen(path, "r");
    text[fread(text, 1, 8191, file)] = '\0';
    fclose(file);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    static int begun;
    (void)context, (void)url, (void)method, (void)version, (void)upload, (void)upload_size;
    if (*state == NULL) {
        *state = &begun;
        return MHD_YES;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return queued;
}

int main(void)
{
    read_text("certificate.pem", certificate);
    read_text("key.pem", key);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, answer, NULL,
        MHD_OPTION_HTTPS_MEM_CERT, certificate, MHD_OPTION_HTTPS_MEM_KEY, key,
        MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3", MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    getchar();
    MHD_stop_daemon(daemon);
    return 0;
}
C
compile server -lmicrohttpd
cat >clients.py <<'PYTHON'
import socket
import ssl
import subprocess

with subprocess.Popen("./server", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
    port = int(server.stdout.readline())
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
                with context.wrap_socket(plain) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    print(version.name, client.recv(12).decode())
        except ssl.SSLEOFError:
            print(version.name, "an end of file")
        except (ssl.SSLError, OSError) as error:
            print(version.name, getattr(error, "reason", None) or type(error).__name__)
    server.communicate(b"\n")
PYTHON
verdict 'TLSv1_3 HTTP/1.1 200
TLSv1_2 an end of file' "$(python3 clients.py)" \
    "libmicrohttpd $found: closed without an alert where the version does not fit"
