/* The steps of admission that ask who comes. */
#ifndef GRADIENTD_LOGIN_H
#define GRADIENTD_LOGIN_H

#include "http/request.h"

/* 401, and 400 for an Authorization that is none: sets the account and the token of a request whose
 * token is good (RFC 6750). Nothing is asked where there is no token file, on the admin listener,
 * of health checks, and of OPTIONS: a page asks beforehand without its token (the Fetch standard,
 * CORS protocol). */
outcome login_step(request *r);

/* 429: takes the request from its account's quotas. */
outcome quota_step(request *r);

#endif
