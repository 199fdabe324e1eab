/* Lists of origins (RFC 6454), as options spell them: https://a.example, http://localhost:3000. */
#ifndef GRADIENTD_ORIGINS_H
#define GRADIENTD_ORIGINS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text is "*" or a list with commas between, each SCHEME://HOST or SCHEME://HOST:PORT. */
bool origins_are_sound(const char *text);

/* Whether an origin is in such a list, in any case; of "*" every one is. */
bool origins_hold(const char *list, const char *origin);

#endif
