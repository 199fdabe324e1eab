/* The sandbox, each time in a process of its own, as nothing of it can be taken back: what serving
 * needs goes on, and what it does not need is refused. */
#include "platform/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_sandbox.XXXXXX";
static char inside[PATH_MAX], outside[PATH_MAX], emptied[PATH_MAX];

/* How a process ends that calls this: it exits with 0 where that returns true, with 1 where it
 * returns false, with 77 where the kernel cannot. */
enum { REFUSED_BY_KERNEL = 77 };

static int end_of(bool (*call)(void))
{
    pid_t child = fork();
    int status = -1;

    if (child == 0)
        _exit(call() ? 0 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_holds(bool (*call)(void))
{
    int status = end_of(call);

    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == REFUSED_BY_KERNEL)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A kernel without it, one that has it disabled, a container whose filter forbids it; anything else
 * is a fault of ours. */
static void begin(bool begun)
{
    bool is_absent = errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM;

    if (!begun)
        _exit(is_absent ? REFUSED_BY_KERNEL : 1);
}

static void begin_calls(void)
{
    begin(sandbox_limit_calls(false));
}

static void begin_files(void)
{
    const sandbox_path paths[] = {{inside, false}, {"/nowhere/at/all", false}, {emptied, true}};

    begin(sandbox_limit_files(paths, 3));
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void *wait_there(void *pipe_end)
{
    char byte;

    return read(*(int *)pipe_end, &byte, 1) == 1 && socket(AF_INET, SOCK_STREAM, 0) < 0 ? pipe_end
                                                                                        : NULL;
}

/* Also in a thread that was there before. */
static bool serving_goes_on(void)
{
    int ends[2], sockets[2];
    char text[4] = "";
    pthread_t thread;
    void *refused = NULL;
    int waiting;
    if (pipe(ends) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0 ||
        pthread_create(&thread, NULL, wait_there, ends) != 0)
        return false;
    begin_calls();
    free(malloc((size_t)64 << 20));
    return write(ends[1], "x", 1) == 1 && pthread_join(thread, &refused) == 0 && refused &&
           send(sockets[0], "abc", 3, MSG_NOSIGNAL) == 3 &&
           ioctl(sockets[1], FIONREAD, &waiting) == 0 && waiting == 3 &&
           recv(sockets[1], text, 3, 0) == 3 && open("/proc/self/stat", O_RDONLY) >= 0;
}

static bool fails(bool failed)
{
    return failed && errno == ENOSYS;
}

static void *do_nothing(void *context)
{
    return context;
}

static bool all_else_is_refused(void)
{
    char path[PATH_MAX + 8];
    pthread_t thread;

    begin_calls();
    snprintf(path, sizeof path, "%s/new", inside);
    return fails(socket(AF_INET, SOCK_STREAM, 0) < 0) &&
           fails(socket(AF_UNIX, SOCK_STREAM, 0) < 0) &&
           fails(open(path, O_WRONLY | O_CREAT, 0600) < 0) &&
           fails(open("/dev/null", O_RDWR) < 0) && fails(unlink(path) < 0) &&
           fails(mkdir(path, 0700) < 0) && fails(chmod("/", 0755) < 0) && fails(chdir("/") < 0) &&
           fails(kill(getppid(), 0) < 0) && fails(setuid(1) < 0) &&
           fails(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                 MAP_FAILED) &&
           fails(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) && fails(ioctl(0, TIOCSTI, path) < 0) &&
           pthread_create(&thread, NULL, do_nothing, NULL);
}

static bool starts_a_program(void)
{
    char *const words[] = {(char[]){"true"}, NULL};

    begin_calls();
    execv("/bin/true", words);
    return false;
}

static bool traces(void)
{
    begin_calls();
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool aborts(void)
{
    begin_calls();
    abort();
}

static void test_serving_goes_on(void **state)
{
    (void)state;
    assert_holds(serving_goes_on);
}

static void test_all_else_is_refused(void **state)
{
    (void)state;
    assert_holds(all_else_is_refused);
}

static void assert_ends_by(bool (*call)(void), int number)
{
    int status = end_of(call);

    if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED_BY_KERNEL)
        skip();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
}

static void test_a_program_or_a_trace_ends_the_process(void **state)
{
    (void)state;
    assert_ends_by(starts_a_program, SIGSYS);
    assert_ends_by(traces, SIGSYS);
}

static void test_abort_still_aborts(void **state)
{
    (void)state;
    assert_ends_by(aborts, SIGABRT);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static bool can_read(const char *path)
{
    int fd = open(path, O_RDONLY);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Also a file that takes the place of one that was there. */
static bool only_the_named_are_read(void)
{
    char path[PATH_MAX + 8], fresh[PATH_MAX + 8];

    snprintf(path, sizeof path, "%s/file", inside);
    snprintf(fresh, sizeof fresh, "%s/fresh", inside);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    close(open(fresh, O_WRONLY | O_CREAT, 0600));
    rename(fresh, path);
    close(open(fresh, O_WRONLY | O_CREAT, 0600));
    begin_files();
    return can_read(path) && can_read(fresh) && can_read(inside) && !can_read(outside) &&
           errno == EACCES && !can_read("/etc/passwd");
}

static bool nothing_is_written(void)
{
    char path[PATH_MAX + 8];

    snprintf(path, sizeof path, "%s/written", inside);
    begin_files();
    return open(path, O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES && mkdir(path, 0700) < 0 &&
           errno == EACCES && unlink(outside) < 0 && errno == EACCES;
}

/* In that folder, and nothing else is done there; nor is a folder removed. */
static bool files_are_removed_where_they_may(void)
{
    char path[PATH_MAX + 8], kept[PATH_MAX + 8];

    snprintf(path, sizeof path, "%s/file", emptied);
    snprintf(kept, sizeof kept, "%s/kept", inside);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    close(open(kept, O_WRONLY | O_CREAT, 0600));
    begin_files();
    begin(sandbox_limit_calls(true));
    return !can_read(path) && errno == EACCES && unlink(kept) < 0 && errno == EACCES &&
           unlink(outside) < 0 && errno == EACCES &&
           unlinkat(AT_FDCWD, emptied, AT_REMOVEDIR) < 0 && errno == ENOSYS && unlink(path) == 0;
}

static void *read_outside(void *context)
{
    return can_read(outside) ? NULL : context;
}

static bool its_threads_are_held_too(void)
{
    pthread_t thread;
    void *refused = NULL;

    begin_files();
    return pthread_create(&thread, NULL, read_outside, folder) == 0 &&
           pthread_join(thread, &refused) == 0 && refused;
}

static void test_only_the_named_are_read(void **state)
{
    (void)state;
    assert_holds(only_the_named_are_read);
}

static void test_nothing_is_written(void **state)
{
    (void)state;
    assert_holds(nothing_is_written);
}

static void test_files_are_removed_where_they_may(void **state)
{
    (void)state;
    assert_holds(files_are_removed_where_they_may);
}

static void test_its_threads_are_held_too(void **state)
{
    (void)state;
    assert_holds(its_threads_are_held_too);
}

/* ---- Privileges and memory ------------------------------------------------------------------- */

static bool gives_up(void)
{
    return sandbox_keep_privileges_away() && sandbox_keep_memory_secret() &&
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static void test_privileges_and_dumps_are_given_up(void **state)
{
    (void)state;
    assert_holds(gives_up);
}

static int make_folders(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(inside, sizeof inside, "%s/inside", folder);
    snprintf(outside, sizeof outside, "%s/outside", folder);
    snprintf(emptied, sizeof emptied, "%s/emptied", folder);
    return mkdir(inside, 0700) == 0 && mkdir(emptied, 0700) == 0 &&
                   close(open(outside, O_WRONLY | O_CREAT, 0600)) == 0
               ? 0
               : -1;
}

static int remove_folders(void **state)
{
    static const char *const names[] = {
        "inside/file", "inside/fresh", "inside/kept", "inside", "outside", "emptied", ""};
    char path[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serving_goes_on),
        cmocka_unit_test(test_all_else_is_refused),
        cmocka_unit_test(test_a_program_or_a_trace_ends_the_process),
        cmocka_unit_test(test_abort_still_aborts),
        cmocka_unit_test(test_only_the_named_are_read),
        cmocka_unit_test(test_nothing_is_written),
        cmocka_unit_test(test_files_are_removed_where_they_may),
        cmocka_unit_test(test_its_threads_are_held_too),
        cmocka_unit_test(test_privileges_and_dumps_are_given_up),
    };

    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
