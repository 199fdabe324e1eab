/* Small files of the kernel and of ours. The kernel's sizes are not known before they are read
 * (stat says 0), so all are read into a block that grows, up to a cap. */
#include "platform/files.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_BLOCK ((size_t)4096)
#define LARGEST_FILE ((size_t)1 << 20)

/* Ends the text with a NUL, or frees it where it has one inside. */
static char *finish(char *text, size_t length)
{
    if (memchr(text, '\0', length) != NULL) {
        free(text);
        errno = EINVAL;
        return NULL;
    }
    text[length] = '\0';
    return text;
}

static char *read_all(FILE *file)
{
    char *text = NULL;
    size_t length = 0;
    int problem = EFBIG;

    for (size_t capacity = FIRST_BLOCK; capacity <= LARGEST_FILE; capacity *= 2) {
        char *larger = realloc(text, capacity);
        if (larger == NULL) {
            problem = ENOMEM;
            break;
        }
        text = larger;
        length += fread(text + length, 1, capacity - 1 - length, file);
        if (ferror(file)) {
            problem = errno;
            break;
        }
        if (length < capacity - 1)
            return finish(text, length);
    }
    free(text);
    errno = problem;
    return NULL;
}

char *files_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text;
    int problem;

    if (file == NULL)
        return NULL;
    text = read_all(file);
    problem = errno;
    fclose(file);
    errno = problem;
    return text;
}

/* What its mode lets others do that it should not, or NULL. */
static const char *fault_of_mode(mode_t mode)
{
    if (mode & S_IWOTH)
        return "others write it";
    if (mode & S_IWGRP)
        return "its group write it";
    return mode & S_IROTH ? "others read it" : NULL;
}

/* Looks at the file that was opened, not at what its path names by then. */
static bool is_guarded(FILE *file, char *reason, size_t size)
{
    struct stat status;
    const char *fault;

    if (fstat(fileno(file), &status) != 0) {
        snprintf(reason, size, "%s", strerrordesc_np(errno));
        return false;
    }
    fault = fault_of_mode(status.st_mode);
    if (fault != NULL)
        snprintf(reason, size,
                 "expected a mode of 0640 or less, found %04o, which lets %s: chmod 600 would do",
                 (unsigned)(status.st_mode & 07777), fault);
    return fault == NULL;
}

char *files_read_guarded(const char *path, char *reason, size_t reason_size)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;

    if (file == NULL) {
        snprintf(reason, reason_size, "%s", strerrordesc_np(errno));
        return NULL;
    }
    if (is_guarded(file, reason, reason_size)) {
        text = read_all(file);
        if (text == NULL)
            snprintf(reason, reason_size, "%s", strerrordesc_np(errno));
    }
    fclose(file);
    return text;
}

char *files_read_in(const char *root, const char *folder, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s%s", root, folder, name);

    return length > 0 && (size_t)length < sizeof path ? files_read(path) : NULL;
}
