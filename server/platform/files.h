/* Reads small files, mostly the kernel's, as a whole. */
#ifndef GRADIENTD_FILES_H
#define GRADIENTD_FILES_H

#include <stddef.h>

/* The file's text, NUL-terminated, which the caller frees. NULL, and errno set, where it cannot be
 * read, has 1 MiB or more, holds a NUL or there is no memory. */
char *files_read(const char *path);

/* The same for the three parts of a path joined: root, folder, name ("", "/a", "/b"). */
char *files_read_in(const char *root, const char *folder, const char *name);

/* The text of a file that decides who may come in: one that its group or others may write, or
 * others read, is refused. NULL: reason says why, in words. */
char *files_read_guarded(const char *path, char *reason, size_t reason_size);

#endif
