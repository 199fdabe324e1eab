/* What the process gives up whether or not there is a sandbox, and whether there can be one. */
#include "platform/sandbox.h"

#include <sys/prctl.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

bool sandbox_is_possible(void)
{
    return !SANITIZED;
}

bool sandbox_keep_privileges_away(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool sandbox_keep_memory_secret(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}
