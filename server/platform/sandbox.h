/* What the process gives up before it serves, so that whoever takes it over gets little: its
 * memory is written to no file, programs gain it no privileges, it opens only the files it needs
 * (Landlock, landlock(7)) and asks the kernel only for what it needs (seccomp(2)). Nothing here can
 * be taken back. Each function sets errno where it returns false. */
#ifndef GRADIENTD_SANDBOX_H
#define GRADIENTD_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this build can be in a sandbox: a sanitizer needs files and calls of its own. */
bool sandbox_is_possible(void);

/* No program that is started from here on gains privileges by its file (set-user-ID). */
bool sandbox_keep_privileges_away(void);

/* No core dump, and no other process of this user looks in (PR_SET_DUMPABLE): /proc/self/fd and
 * what else shows the process belongs to root from then on. */
bool sandbox_keep_memory_secret(void);

/* What stays allowed of files at or below a path. */
typedef struct sandbox_path {
    const char *path;
    bool is_emptied; /* they may be removed, and not read; else they may be read */
} sandbox_path;

/* The calling thread, and those that it starts from then on, open only files at or below these
 * paths, only for reading, and connect to no TCP port. A path that isn't there is passed over.
 * False: the kernel has no Landlock, it is not enabled, or a container's filter forbids it. */
bool sandbox_limit_files(const sandbox_path *paths, size_t count);

/* All threads: calls that a serving daemon does not make fail with ENOSYS, so that libc may do
 * without them; so do files opened for anything but reading, memory that can be run, new sockets
 * and new threads; and the removal of files, unless removes_files. Starting a program or a process,
 * or tracing one, ends the process (SIGSYS). The kernel's audit log has each. False: the kernel has
 * no filters. */
bool sandbox_limit_calls(bool removes_files);

#endif
