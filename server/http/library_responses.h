/* The responses that libmicrohttpd gives by itself (to a request without a Host, to a
 * Content-Length that is no number, to a line that is too long), made ours. It has no hook for them
 * and its texts differ between versions; but it sends each in one call, in which ours are known by
 * their Server. So this program has a send and a sendmsg of its own, which libmicrohttpd finds
 * before libc's: in the place of such a response they send a problem document, and all else as it
 * is. */
#ifndef GRADIENTD_LIBRARY_RESPONSES_H
#define GRADIENTD_LIBRARY_RESPONSES_H

#include "http/request.h"

/* The calling thread serves this context's connections from now on. */
void library_responses_enter(request_context *context);

/* A request whose line was read, and its end: one that libmicrohttpd answers itself is known by its
 * connection. On the thread of its event loop. */
void library_responses_add(request *r);
void library_responses_remove(request *r);

#endif
