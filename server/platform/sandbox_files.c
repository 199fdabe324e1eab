/* The sandbox of files: Landlock, by the kernel's own interface, as libc has none. The structures
 * are those of linux/landlock.h, which older headers have in part. */
#include "platform/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ASK_VERSION 1U /* LANDLOCK_CREATE_RULESET_VERSION */
#define RULE_PATH_BENEATH 1
#define READ_FILE ((uint64_t)1 << 2)
#define READ_FOLDER ((uint64_t)1 << 3)
#define REMOVE_FILE ((uint64_t)1 << 5)
#define NET_CONNECT_TCP ((uint64_t)1 << 1)

/* What each version knows of files: execute, write, read, remove and make (1), refer (2), truncate
 * (3), ioctl of devices (5). All of it is forbidden but what a rule allows. */
static uint64_t file_rights(long version)
{
    int bits = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;

    return ((uint64_t)1 << bits) - 1;
}

/* struct landlock_ruleset_attr; a kernel takes the longer one if what it doesn't know is 0. */
typedef struct ruleset {
    uint64_t files;
    uint64_t net; /* version 4 */
} ruleset;

/* struct landlock_path_beneath_attr */
typedef struct path_rule {
    uint64_t rights;
    int32_t parent;
} __attribute__((packed)) path_rule;

/* False: there was something else wrong than that there is no such path. */
static bool allow(int rules, const sandbox_path *p)
{
    path_rule rule = {.rights = p->is_emptied ? REMOVE_FILE : READ_FILE};
    struct stat what;
    bool allowed;

    rule.parent = open(p->path, O_PATH | O_CLOEXEC);
    if (rule.parent < 0)
        return errno == ENOENT || errno == EACCES;
    if (!p->is_emptied && fstat(rule.parent, &what) == 0 && S_ISDIR(what.st_mode))
        rule.rights |= READ_FOLDER;
    allowed = syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent);
    return allowed;
}

bool sandbox_limit_files(const sandbox_path *paths, size_t count)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, ASK_VERSION);
    ruleset forbidden;
    bool good;
    int rules;

    if (version < 1)
        return false;
    forbidden = (ruleset){.files = file_rights(version), .net = version >= 4 ? NET_CONNECT_TCP : 0};
    rules = (int)syscall(SYS_landlock_create_ruleset, &forbidden, sizeof forbidden, 0U);
    if (rules < 0)
        return false;
    good = sandbox_keep_privileges_away();
    for (size_t i = 0; good && i < count; i++)
        good = allow(rules, &paths[i]);
    good = good && syscall(SYS_landlock_restrict_self, rules, 0U) == 0;
    close(rules);
    return good;
}
