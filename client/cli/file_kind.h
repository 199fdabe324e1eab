/* What a file is that holds no JSON, told by its first bytes. */
#ifndef GRADIENT_CLI_FILE_KIND_H
#define GRADIENT_CLI_FILE_KIND_H

#include <stddef.h>

typedef struct file_kind {
    const char *name; /* "a NumPy array (.npy)"; NULL: it may be JSON */
    const char *hint; /* how to make a document of it */
} file_kind;

/* bytes: the first of the file, up to a few thousand; length 0: it is empty. */
file_kind file_kind_of(const char *bytes, size_t length);

#endif
