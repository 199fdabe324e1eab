/* The step of admission that asks under which name the service was called. */
#ifndef GRADIENTD_HOST_H
#define GRADIENTD_HOST_H

#include "http/request.h"

/* 421: the host that the request names (RFC 9110, section 7.2) is none of allow-host, so that a
 * page whose own name leads here (DNS rebinding) gets nothing. Health checks name any host. */
outcome host_step(request *r);

#endif
