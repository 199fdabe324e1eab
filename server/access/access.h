/* Who may come in: the tokens in effect, read from a file and read again while requests are under
 * way. */
#ifndef GRADIENTD_ACCESS_H
#define GRADIENTD_ACCESS_H

#include "access/quota.h"

typedef struct access_list access_list;

typedef enum access_verdict { ACCESS_GRANTED, ACCESS_UNKNOWN, ACCESS_EXPIRED } access_verdict;

/* What a reading changed. */
typedef struct access_change {
    size_t tokens, added, removed; /* by name; another hash of a name is one of both */
} access_change;

/* Reads the token file, whose mode must let nobody but its owner write it, and others not read it.
 * NULL: message says why not. */
access_list *access_open(const char *path, char *message, size_t message_size);

/* Reads it again. Requests under way keep what they have; quotas used stay used. False: message
 * says why not, and the tokens stay as they were. By one thread at a time, beside any number of
 * access_find. */
bool access_reload(access_list *all, access_change *change, char *message, size_t message_size);

void access_close(access_list *all);

/* Finds whose token it is, at that time in seconds since 1970. The time it takes depends on the
 * number of tokens and on the length of this one only. But for ACCESS_UNKNOWN *found is held, and
 * the caller releases it. Thread-safe. */
access_verdict access_find(access_list *all, const char *token, size_t length, int64_t now,
                           account **found);

#endif
