/* Which files stay readable, and what is said of the sandbox. */
#include "confinement.h"

#include "config/address.h"
#include "observe/log.h"
#include "platform/resources.h"
#include "platform/sandbox.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Files ----------------------------------------------------------------------------------- */

/* What the metrics read of the process, libraries of the kernel's random numbers, and what stands
 * for an empty file. */
static const char *const always[] = {"/proc/stat", "/proc/self/stat", "/proc/self/statm",
                                     "/dev/urandom", "/dev/null"};
#define ALWAYS (sizeof always / sizeof *always)
#define MOST_FILES 16 /* that the configuration may name, itself included */
#define MOST_SOCKETS 2

typedef struct allowed {
    sandbox_path paths[ALWAYS + 2 * MOST_FILES + MOST_SOCKETS];
    char *owned[2 * MOST_FILES + MOST_SOCKETS];
    size_t count;
} allowed;

/* The folder, or the file itself where its folder is the root, which would be everything. */
static void add_folder(allowed *r, const char *path, bool is_emptied)
{
    char *copy = path != NULL ? strdup(path) : NULL;
    const char *folder = copy != NULL ? dirname(copy) : NULL;
    char *kept = NULL;

    if (folder != NULL)
        kept = strdup(strcmp(folder, "/") == 0 ? path : folder);
    free(copy);
    if (kept == NULL)
        return;
    r->owned[r->count - ALWAYS] = kept;
    r->paths[r->count++] = (sandbox_path){kept, is_emptied};
}

/* Where the file is, and where it really is if its name is a symbolic link. */
static void add_file(void *context, const char *path)
{
    allowed *r = context;
    char *real;

    if (r->count + 2 > ALWAYS + 2 * MOST_FILES)
        return;
    real = realpath(path, NULL);
    add_folder(r, path, false);
    add_folder(r, real, false);
    free(real);
}

/* The file of a Unix socket goes when the daemon ends. */
static bool add_socket(allowed *r, const char *listening_at)
{
    const char *path = address_unix_path(listening_at);

    if (path != NULL)
        add_folder(r, path, true);
    return path != NULL;
}

static void limit_files(confinement *t)
{
    allowed r = {.count = 0};
    bool has_socket;

    for (size_t i = 0; i < ALWAYS; i++)
        r.paths[r.count++] = (sandbox_path){always[i], false};
    config_each_file(t->config, add_file, &r);
    has_socket = add_socket(&r, t->config->listen);
    has_socket = add_socket(&r, t->config->admin_listen) || has_socket;
    t->limits_files = sandbox_limit_files(r.paths, r.count);
    t->files_problem = errno;
    t->removes_files = t->limits_files && has_socket;
    for (size_t i = ALWAYS; i < r.count; i++)
        free(r.owned[i - ALWAYS]);
}

/* ---- Both steps ------------------------------------------------------------------------------ */

static bool fail(char *message, size_t size, const char *why)
{
    snprintf(message, size, "sandbox is on, and cannot be: %s", why);
    return false;
}

bool confinement_begin(confinement *t, const config *c, char *message, size_t message_size)
{
    *t = (confinement){.config = c, .is_wanted = c->sandbox != SANDBOX_OFF};
    process_keep_descriptors();
    sandbox_keep_privileges_away();
    if (!c->core_dumps)
        sandbox_keep_memory_secret();
    if (t->is_wanted && !sandbox_is_possible()) {
        t->is_wanted = false;
        if (c->sandbox == SANDBOX_ON)
            return fail(message, message_size, "this is a sanitizer's build");
    }
    if (!t->is_wanted)
        return true;
    limit_files(t);
    return true;
}

/* Calls are the half that every kernel has; a container's own filter may forbid the other. */
static void tell(const confinement *t)
{
    const log_field fields[] = {LOG_TEXT("calls", t->limits_calls ? "limited" : "not limited"),
                                LOG_TEXT("files", t->limits_files ? "limited" : "not limited"),
                                LOG_END};
    char sentence[160] = "";

    if (t->is_wanted && !(t->limits_calls && t->limits_files)) {
        bool is_files = t->limits_calls;
        snprintf(sentence, sizeof sentence, "the kernel does not limit %s (%s: %s)",
                 is_files ? "the files that the daemon opens" : "its own calls",
                 is_files ? "Landlock" : "seccomp",
                 strerrordesc_np(is_files ? t->files_problem : t->calls_problem));
        log_write_as(LOG_WARNING, "sandbox", sentence, fields);
        return;
    }
    log_write_as(LOG_INFO, "sandbox", "", fields);
}

bool confinement_complete(confinement *t, char *message, size_t message_size)
{
    if (t->is_wanted) {
        t->limits_calls = sandbox_limit_calls(t->removes_files);
        t->calls_problem = errno;
    }
    if (t->config->sandbox == SANDBOX_ON && !t->limits_calls)
        return fail(message, message_size, strerrordesc_np(t->calls_problem));
    tell(t);
    if (geteuid() == 0)
        log_write(LOG_WARNING, "running as root: give the daemon a user of its own", NULL);
    return true;
}
