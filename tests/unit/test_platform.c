/* CPUs and memory by control groups, on trees of files that stand for machines; the figures of this
 * very process. */
#include "platform/files.h"
#include "platform/resources.h"
#include "support/between.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define GROUPS "/proc/self/cgroup"
#define V2 "/sys/fs/cgroup"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/test_platform.XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *walk)
{
    (void)s;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Puts a file into the tree, and the folders above it. */
static void put(const char *name, const char *text, size_t length)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *c = path + strlen(root) + 1; (c = strchr(c, '/')); c++) {
        *c = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *c = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

static void test_no_groups_leave_the_affinity(void **state)
{
    (void)state;
    assert_int_equal(cpus_usable_in(root, 6), 6);
    assert_int_equal(cpus_usable_in(root, 0), 1);
    put_text(GROUPS, "nonsense\n::\n7\n");
    assert_int_equal(cpus_usable_in(root, 6), 6);
}

static void test_version_2_quota_is_rounded_up(void **state)
{
    (void)state;
    put_text(GROUPS, "0::/\n");
    const struct {
        const char *text;
        size_t cpus;
    } rows[] = {
        {"max 100000\n", 8},
        {"200000 100000\n", 2},
        {"250000 100000\n", 3},
        {"50000 100000\n", 1},
        {"1000 100000\n", 1},
        {"1600000 100000\n", 8},
        {"", 8},
        {"0 0\n", 8},
        {"junk\n", 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_text(V2 "/cpu.max", rows[i].text);
        assert_int_equal(cpus_usable_in(root, 8), rows[i].cpus);
    }
}

static void test_version_2_parents_count(void **state)
{
    (void)state;
    put_text(GROUPS, "0::/a/b/c\n");
    put_text(V2 "/a/b/c/cpu.max", "max 100000\n");
    put_text(V2 "/a/b/cpu.max", "500000 100000\n");
    assert_int_equal(cpus_usable_in(root, 8), 5);
    put_text(V2 "/a/cpu.max", "300000 100000\n");
    assert_int_equal(cpus_usable_in(root, 8), 3);
    put_text(V2 "/a/b/c/cpu.max", "100000 100000\n");
    assert_int_equal(cpus_usable_in(root, 8), 1);
    put_text(V2 "/a/other/cpu.max", "10000 100000\n");
    put_text(V2 "/a/b/c/cpu.max", "400000 100000\n");
    assert_int_equal(cpus_usable_in(root, 8), 3);
}

static void test_a_container_that_sees_the_hosts_path(void **state)
{
    (void)state;
    put_text(GROUPS, "0::/docker/0123abcd\n");
    put_text(V2 "/cpu.max", "200000 100000\n");
    assert_int_equal(cpus_usable_in(root, 8), 2);
}

static void test_version_1_quota(void **state)
{
    (void)state;
    put_text(GROUPS, "5:memory:/m\n4:cpu,cpuacct:/x/y\n3:cpuset:/s\n0::/init.scope\n");
    put_text(V2 "/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
    put_text(V2 "/cpu,cpuacct/x/y/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpus_usable_in(root, 8), 8);
    put_text(V2 "/cpu,cpuacct/x/cpu.cfs_quota_us", "350000\n");
    put_text(V2 "/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpus_usable_in(root, 8), 4);
    put_text(V2 "/cpu/x/y/cpu.cfs_quota_us", "20000\n");
    put_text(V2 "/cpu/x/y/cpu.cfs_period_us", "10000\n");
    assert_int_equal(cpus_usable_in(root, 8), 2);
    put_text(V2 "/cpuset/s/cpu.cfs_quota_us", "10000\n");
    put_text(V2 "/cpuset/s/cpu.cfs_period_us", "10000\n");
    assert_int_equal(cpus_usable_in(root, 8), 2);
}

static void test_this_machine(void **state)
{
    (void)state;
    cpu_set_t mask;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    assert_between(cpus_usable(), 1, (size_t)CPU_COUNT(&mask));
    size_t memory = memory_available();
    assert_between(memory, 1 << 20,
                   (uintmax_t)sysconf(_SC_PHYS_PAGES) * (uintmax_t)sysconf(_SC_PAGESIZE));
}

static void test_affinity_counts(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    size_t usable = cpus_usable();
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(usable, 1);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void test_memory_limits(void **state)
{
    (void)state;
    const size_t physical = (size_t)1 << 30;
    assert_int_equal(memory_available_in(root, physical), physical);
    put_text(GROUPS, "0::/a/b\n");
    put_text(V2 "/a/b/memory.max", "max\n");
    assert_int_equal(memory_available_in(root, physical), physical);
    put_text(V2 "/a/memory.max", "536870912\n");
    assert_int_equal(memory_available_in(root, physical), 536870912);
    put_text(V2 "/a/b/memory.max", "4294967296\n");
    assert_int_equal(memory_available_in(root, physical), 536870912);
    put_text(GROUPS, "9:memory:/v1\n");
    put_text(V2 "/memory/v1/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(memory_available_in(root, physical), physical);
    put_text(V2 "/memory/memory.limit_in_bytes", "104857600\n");
    assert_int_equal(memory_available_in(root, physical), 104857600);
}

/* ---- Files and the process ------------------------------------------------------------------- */

static void expect_unreadable(const char *name, int problem)
{
    errno = 0;
    assert_null(files_read_in(root, "", name));
    assert_int_equal(errno, problem);
}

static void test_files(void **state)
{
    (void)state;
    const size_t large = (size_t)1 << 20;
    char *block = malloc(large);
    assert_non_null(block);
    memset(block, 'x', large);
    expect_unreadable("/absent", ENOENT);
    expect_unreadable("", EISDIR);
    put("/nul", "a\0b", 3);
    expect_unreadable("/nul", EINVAL);
    put("/large", block, large);
    expect_unreadable("/large", EFBIG);
    for (size_t length = 4094; length < 4098; length++) {
        put("/some", block, length);
        char *text = files_read_in(root, "", "/some");
        assert_non_null(text);
        assert_int_equal(strlen(text), length);
        free(text);
    }
    free(block);
}

static void test_process_texts(void **state)
{
    (void)state;
    const char *stat =
        "77 (odd ) name) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 4242 23 24";
    assert_true(process_parse_start(stat) == 4242);
    assert_true(process_parse_start("77 (short) S 4 5") < 0);
    assert_true(process_parse_start("") < 0);
    assert_true(process_parse_boot("cpu 1 2\nbtime 1700000000\nprocesses 3\n") == 1.7e9);
    assert_true(process_parse_boot("cpu 1 2\n") < 0);
}

static void test_this_process(void **state)
{
    (void)state;
    process_figures before, after;
    process_keep_descriptors();
    before = process_read();
    FILE *file = fopen("/dev/null", "r");
    assert_non_null(file);
    after = process_read();
    fclose(file);
    assert_true(after.open_files - before.open_files == 1);
    assert_true(before.resident_memory > 1 << 18);
    assert_true(after.cpu_seconds >= before.cpu_seconds && before.cpu_seconds > 0);
    double age = (double)time(NULL) - before.start_time;
    assert_true(age > -3 && age < 600);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TREE(test_no_groups_leave_the_affinity),
        IN_TREE(test_version_2_quota_is_rounded_up),
        IN_TREE(test_version_2_parents_count),
        IN_TREE(test_a_container_that_sees_the_hosts_path),
        IN_TREE(test_version_1_quota),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_affinity_counts),
        IN_TREE(test_memory_limits),
        IN_TREE(test_files),
        cmocka_unit_test(test_process_texts),
        cmocka_unit_test(test_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
