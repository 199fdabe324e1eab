/* Small files of the kernel, whole. What stands in them is read elsewhere. */
#ifndef GRADIENTD_FILES_H
#define GRADIENTD_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* The file's text, NUL-terminated, which the caller frees; NULL where it cannot be read, is larger
 * than 1 MiB or there is no memory. */
char *files_read(const char *path);

/* The same for the three parts of a path joined: root, folder, name ("", "/a", "/b"). */
char *files_read_in(const char *root, const char *folder, const char *name);

#endif
