/* What options spell of network addresses: HOST:PORT of a listener, and lists of origins. Text
 * only: nothing is looked up. */
#ifndef GRADIENTD_ADDRESS_H
#define GRADIENTD_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* A host that stands for all addresses of this machine, whatever protocols it has. */
#define ADDRESS_ALL "*"

/* The two halves as getaddrinfo takes them; an IPv6 host without its brackets. */
typedef struct address {
    char host[256];
    char port[6];
} address;

/* Reads 127.0.0.1:8080, [::1]:8080, [fe80::1%eth0]:8080, localhost:8080 or *:8080. False, and
 * *parts untouched, where the text is none of these. */
bool address_split(const char *text, address *parts);

/* The absolute path in "unix:/path", of at most that many bytes with its NUL; NULL: it is none. */
#define ADDRESS_PATH_SIZE 108
const char *address_unix_path(const char *text);

/* ---- Origins --------------------------------------------------------------------------------- */

/* Lists of origins (RFC 6454): https://a.example, http://localhost:3000. */

/* Whether text is "*" or a list with commas between, each SCHEME://HOST or SCHEME://HOST:PORT. */
bool origins_are_sound(const char *text);

/* Whether an origin is in such a list, in any case; of "*" every one is. */
bool origins_hold(const char *list, const char *origin);

/* ---- Hosts ----------------------------------------------------------------------------------- */

/* Lists of hosts that a request may name, whatever the port: a.example, 192.0.2.1, [2001:db8::1].
 */

/* Stands for the names of this machine alone, or for every host, as the listener is reached. */
#define HOSTS_AUTO "auto"

/* Whether text is "auto", "*" or a list with commas between. */
bool hosts_are_sound(const char *text);

/* Whether the host of HOST or HOST:PORT is in such a list, in any case; of "*" every one is. */
bool hosts_hold(const char *list, const char *authority);

#endif
