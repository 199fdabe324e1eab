/* What the daemon gives up between the opening of its listeners and its first request, as `sandbox`
 * and `core-dumps` ask, and the lines of the log about it. */
#ifndef GRADIENTD_CONFINEMENT_H
#define GRADIENTD_CONFINEMENT_H

#include "config/config.h"

typedef struct confinement {
    const config *config;
    bool is_wanted, limits_files, limits_calls;
    bool removes_files; /* in the folders of Unix sockets, as the kernel knows where these are */
    int files_problem, calls_problem; /* errno, where they are not limited */
} confinement;

/* While there is one thread: privileges, core dumps and files. What a reload reads stays readable:
 * the folders of the configuration file and of the files that it names, since an editor puts a new
 * file in an old one's place. What is in the folder of a Unix socket may be removed. False: sandbox
 * is on and cannot be, and message has the reason. */
bool confinement_begin(confinement *t, const config *c, char *message, size_t message_size);

/* When all threads run: calls of the kernel. Says in the log what holds. False as above. */
bool confinement_complete(confinement *t, char *message, size_t message_size);

#endif
