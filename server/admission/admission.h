/* Admission: what the headers alone decide, before the body comes. */
#ifndef GRADIENTD_ADMISSION_H
#define GRADIENTD_ADMISSION_H

#include "http/request.h"

/* Runs the steps in order until one rejects the request; the admit function of a service.
 * OUTCOME_MORE: the request is admitted and has its route. */
outcome admission_run(request *r);

#endif
