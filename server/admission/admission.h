/* Admission: what is asked of a request whose headers are there and whose body is to come. */
#ifndef GRADIENTD_ADMISSION_H
#define GRADIENTD_ADMISSION_H

#include "http/request.h"

/* Asks the steps one after the other until one rejects; a service's admit. OUTCOME_MORE: admitted,
 * and the request has its route. */
outcome admission_run(request *r);

#endif
