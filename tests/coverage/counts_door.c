/* A door in the sandbox of the daemon whose lines are counted: at its end it writes the counts
 * beside its objects. Linked into that daemon alone, around the last step of each half of the
 * sandbox, so that all else of it is what it is in any build. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ASK_VERSION 1U       /* LANDLOCK_CREATE_RULESET_VERSION */
#define RULE_PATH_BENEATH 1L /* LANDLOCK_RULE_PATH_BENEATH */
#define WRITE_READ_LIST_MAKE (((uint64_t)7 << 1) | ((uint64_t)1 << 8))
#define TRUNCATE ((uint64_t)1 << 14) /* from version 3 on */

int __real_seccomp_load(const scmp_filter_ctx filter);
int __wrap_seccomp_load(scmp_filter_ctx filter);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

int __wrap_seccomp_load(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp lock = SCMP_A1(SCMP_CMP_EQ, F_SETLKW);
    int problem = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 0);

    if (problem == 0)
        problem = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ftruncate), 0);
    if (problem == 0)
        problem = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &lock);
    return problem != 0 ? problem : __real_seccomp_load(filter);
}

/* struct landlock_path_beneath_attr */
typedef struct path_rule {
    uint64_t rights;
    int32_t parent;
} __attribute__((packed)) path_rule;

static void allow_counts(long rules)
{
    long version = __real_syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, ASK_VERSION);
    path_rule rule = {.rights = WRITE_READ_LIST_MAKE | (version >= 3 ? TRUNCATE : 0)};

    rule.parent = open(COUNTS_FOLDER, O_PATH | O_CLOEXEC);
    if (rule.parent < 0)
        return;
    __real_syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &rule, 0L);
    close(rule.parent);
}

long __wrap_syscall(long number, ...)
{
    long given[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        given[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_landlock_restrict_self)
        allow_counts(given[0]);
    return __real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
