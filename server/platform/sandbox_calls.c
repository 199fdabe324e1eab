/* The sandbox of calls: what a serving daemon asks of the kernel, as a filter made by libseccomp.
 * To let it do one thing more: a row in one of the two tables. */
#include "platform/sandbox.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* With any arguments. Names, so that the processor's and the library's lists may lack some. */
static const char *const allowed[] = {
    /* connections */
    "accept", "accept4", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "eventfd2", "getpeername", "getsockname", "getsockopt", "pipe2", "poll", "ppoll", "pselect6",
    "read", "readv", "recvfrom", "recvmmsg", "recvmsg", "select", "sendmmsg", "sendmsg", "sendto",
    "setsockopt", "shutdown", "write", "writev",
    /* files that are open, or are opened for reading */
    "close", "dup", "dup3", "faccessat", "faccessat2", "fstat", "fstatfs", "getcwd", "getdents64",
    "lseek", "lstat", "newfstatat", "pread64", "readlink", "readlinkat", "stat", "statfs", "statx",
    /* memory */
    "brk", "madvise", "mbind", "mincore", "mremap", "munmap",
    /* threads, those that have just been started among them, and locks */
    "exit", "exit_group", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake",
    "get_robust_list", "gettid", "membarrier", "rseq", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_yield", "set_robust_list", "set_tid_address", "setpriority",
    "getpriority",
    /* signals to be taken */
    "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "signalfd4",
    /* time and what the machine has */
    "clock_getres", "clock_gettime", "clock_nanosleep", "getcpu", "getegid", "geteuid", "getgid",
    "getpid", "getppid", "getrandom", "getrusage", "gettimeofday", "getuid", "nanosleep",
    "prlimit64", "getrlimit", "sysinfo", "time", "times", "uname"};

/* Where an argument, with all but these bits taken away, has this value. */
typedef struct limited {
    const char *name;
    unsigned argument;
    scmp_datum_t mask, value;
} limited;

#define WORD UINT32_MAX /* an int: the kernel does not look at the upper half */
#define WRITING ((scmp_datum_t)(O_ACCMODE | O_CREAT | O_TRUNC))

static const limited allowed_where[] = {
    {"open", 1, WRITING, O_RDONLY},      {"openat", 2, WRITING, O_RDONLY},
    {"mmap", 2, PROT_EXEC, 0},           {"mprotect", 2, PROT_EXEC, 0},
    {"fcntl", 1, WORD, F_GETFD},         {"fcntl", 1, WORD, F_SETFD},
    {"fcntl", 1, WORD, F_GETFL},         {"fcntl", 1, WORD, F_SETFL},
    {"fcntl", 1, WORD, F_DUPFD_CLOEXEC}, {"ioctl", 1, WORD, FIONREAD},
    {"ioctl", 1, WORD, FIONBIO},         {"ioctl", 1, WORD, TIOCOUTQ}, /* SIOCOUTQ of a socket */
    {"ioctl", 1, WORD, TCGETS},                                        /* isatty, */
#ifdef TCGETS2
    {"ioctl", 1, WORD, TCGETS2}, /* from glibc 2.42 on */
#endif
    {"prctl", 0, WORD, PR_SET_NAME},
};

static const char *const deadly[] = {
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev"};

/* Without a rule for calls that this processor or this libseccomp does not have. */
static int add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
               const struct scmp_arg_cmp *condition)
{
    int number = seccomp_syscall_resolve_name(name);

    return number < 0 ? 0 : seccomp_rule_add_array(filter, action, number, count, condition);
}

static int add_rules(scmp_filter_ctx filter, bool removes_files)
{
    const struct scmp_arg_cmp own = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
    const struct scmp_arg_cmp file = SCMP_A2(SCMP_CMP_MASKED_EQ, WORD, 0); /* no folder */
    int problem = add(filter, SCMP_ACT_ALLOW, "tgkill", 1, &own);          /* raise, abort */

    for (size_t i = 0; problem == 0 && i < sizeof allowed / sizeof *allowed; i++)
        problem = add(filter, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
    for (size_t i = 0; problem == 0 && i < sizeof allowed_where / sizeof *allowed_where; i++) {
        const limited *l = &allowed_where[i];
        const struct scmp_arg_cmp condition =
            SCMP_CMP(l->argument, SCMP_CMP_MASKED_EQ, l->mask, l->value);
        problem = add(filter, SCMP_ACT_ALLOW, l->name, 1, &condition);
    }
    if (problem == 0 && removes_files) /* the one that libc's unlink makes, of a whole path */
        problem = add(filter, SCMP_ACT_ALLOW, "unlink", 0, NULL);
    if (problem == 0 && removes_files)
        problem = add(filter, SCMP_ACT_ALLOW, "unlinkat", 1, &file);
    for (size_t i = 0; problem == 0 && i < sizeof deadly / sizeof *deadly; i++)
        problem = add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0, NULL);
    return problem;
}

bool sandbox_limit_calls(bool removes_files)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int problem;

    if (filter == NULL) {
        errno = ENOMEM;
        return false;
    }
    seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's own errno */
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    problem = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (problem == 0)
        problem = add_rules(filter, removes_files);
    if (problem == 0)
        problem = seccomp_load(filter);
    seccomp_release(filter);
    errno = -problem;
    return problem == 0;
}
