/* Limits that control groups put on this process, versions 1 and 2: finding the folders. What a
 * limit's files say is read by cpus.c and memory.c. */
#ifndef GRADIENTD_CGROUP_H
#define GRADIENTD_CGROUP_H

/* Reads the limit of one group, whose folder is root and folder joined; INFINITY for none. */
typedef double cgroup_reader(const char *root, const char *folder);

/* The least limit of this process' group and all groups above it that can be seen, by
 * root/proc/self/cgroup and root/sys/fs/cgroup; INFINITY for none. controller is version 1's name
 * of it, "cpu" or "memory". root is "" on a real machine. */
double cgroup_least_limit(const char *root, const char *controller, cgroup_reader *version_1,
                          cgroup_reader *version_2);

/* Reads a decimal number at the start of a file; INFINITY where it has none ("max", no file). */
double cgroup_read_number(const char *root, const char *folder, const char *file);

#endif
