/* Small files of the kernel. Their sizes are not known before they are read (stat says 0), so they
 * are read into a block that grows, up to a cap. */
#include "platform/files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BLOCK ((size_t)4096)
#define LARGEST_FILE ((size_t)1 << 20)

static char *read_all(FILE *file)
{
    char *text = NULL;
    size_t length = 0;
    for (size_t capacity = FIRST_BLOCK; capacity <= LARGEST_FILE; capacity *= 2) {
        char *larger = realloc(text, capacity);
        if (!larger) {
            break;
        }
        text = larger;
        length += fread(text + length, 1, capacity - 1 - length, file);
        if (length < capacity - 1) {
            if (ferror(file)) {
                break;
            }
            text[length] = '\0';
            return text;
        }
    }
    free(text);
    return NULL;
}

char *files_read(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return NULL;
    }
    char *text = read_all(file);
    fclose(file);
    return text;
}

char *files_read_in(const char *root, const char *folder, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s%s", root, folder, name);
    return length > 0 && (size_t)length < sizeof path ? files_read(path) : NULL;
}
