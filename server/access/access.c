/* The tokens in effect. A reader holds the lock while it looks for one token; a reload makes the
 * new set beside the old, and holds it to exchange them. */
#include "access/access.h"

#include "access/secret.h"
#include "access/token_file.h"
#include "platform/clock.h"
#include "platform/files.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_WORDS (TOKEN_HASH_SIZE / sizeof(uint64_t))
#define NOBODY SIZE_MAX

typedef struct access_entry {
    account *account; /* held */
    int64_t expires;
} access_entry;

/* Hashes lie together: all are looked at, each time. */
typedef struct access_set {
    size_t count;
    uint64_t (*hashes)[HASH_WORDS];
    access_entry *entries;
} access_set;

struct access_list {
    pthread_rwlock_t lock; /* over set */
    access_set set;
    char path[];
};

/* ---- Sets ------------------------------------------------------------------------------------ */

static void free_set(access_set *set)
{
    for (size_t i = 0; set->entries != NULL && i < set->count; i++)
        account_release(set->entries[i].account);
    free(set->entries);
    free(set->hashes);
    *set = (access_set){.count = 0};
}

static size_t find_name(const access_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(account_name(set->entries[i].account), name) == 0)
            return i;
    return NOBODY;
}

/* The account of that name in the old set, with nothing changed yet, or a new one. */
static account *account_for(const token_line *line, const access_set *old)
{
    size_t known = find_name(old, line->name);

    return known != NOBODY ? account_hold(old->entries[known].account)
                           : account_create(line->name, &line->limits);
}

static bool make_set(const token_list *list, const access_set *old, access_set *set)
{
    set->hashes = calloc(list->count + 1, sizeof *set->hashes);
    set->entries = calloc(list->count + 1, sizeof *set->entries);
    set->count = list->count;
    if (set->hashes == NULL || set->entries == NULL)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        const token_line *line = &list->lines[i];
        memcpy(set->hashes[i], line->hash, sizeof set->hashes[i]);
        set->entries[i] = (access_entry){account_for(line, old), line->expires};
        if (set->entries[i].account == NULL)
            return false;
    }
    return true;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_list(const char *path, token_list *list, char *message, size_t message_size)
{
    char reason[256];
    char *text = files_read_guarded(path, reason, sizeof reason);
    bool good = text != NULL && token_file_parse(text, list, reason, sizeof reason);

    if (!good)
        snprintf(message, message_size, "token file %s: %s", path, reason);
    free(text);
    return good;
}

static access_change compare(const access_set *old, const access_set *new)
{
    access_change change = {.tokens = new->count};

    for (size_t i = 0; i < new->count; i++) {
        size_t was = find_name(old, account_name(new->entries[i].account));
        if (was == NOBODY || memcmp(old->hashes[was], new->hashes[i], TOKEN_HASH_SIZE) != 0)
            change.added++;
    }
    change.removed = old->count + change.added - new->count;
    return change;
}

static void exchange(access_list *all, access_set *set)
{
    access_set old;

    pthread_rwlock_wrlock(&all->lock);
    old = all->set;
    all->set = *set;
    pthread_rwlock_unlock(&all->lock);
    free_set(&old);
}

bool access_reload(access_list *all, access_change *change, char *message, size_t message_size)
{
    token_list list;
    access_set set = {.count = 0};
    bool made;

    if (!read_list(all->path, &list, message, message_size))
        return false;
    made = make_set(&list, &all->set, &set);
    if (made) {
        for (size_t i = 0; i < set.count; i++)
            account_limit(set.entries[i].account, &list.lines[i].limits, clock_now());
        *change = compare(&all->set, &set);
        exchange(all, &set);
    } else {
        free_set(&set);
        snprintf(message, message_size, "token file %s: no memory for its tokens", all->path);
    }
    token_list_free(&list);
    return made;
}

access_list *access_open(const char *path, char *message, size_t message_size)
{
    size_t size = strlen(path) + 1;
    access_list *all = calloc(1, sizeof *all + size);
    access_change change;

    if (all == NULL) {
        snprintf(message, message_size, "no memory for the tokens");
        return NULL;
    }
    memcpy(all->path, path, size);
    pthread_rwlock_init(&all->lock, NULL);
    if (access_reload(all, &change, message, message_size))
        return all;
    access_close(all);
    return NULL;
}

void access_close(access_list *all)
{
    if (all == NULL)
        return;
    free_set(&all->set);
    pthread_rwlock_destroy(&all->lock);
    free(all);
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* Looks at every hash to its end, without a branch on what is there, so that time tells neither
 * whether one is like it nor where. */
static size_t find_hash(const access_set *set, const uint64_t hash[HASH_WORDS])
{
    size_t found = NOBODY;

    for (size_t i = 0; i < set->count; i++) {
        uint64_t difference = 0;
        size_t mask;
        for (size_t word = 0; word < HASH_WORDS; word++)
            difference |= set->hashes[i][word] ^ hash[word];
        mask = (size_t)((difference | (UINT64_C(0) - difference)) >> 63) - 1; /* all ones: alike */
        found = (found & ~mask) | (i & mask);
    }
    return found;
}

access_verdict access_find(access_list *all, const char *token, size_t length, int64_t now,
                           account **found)
{
    union {
        unsigned char bytes[TOKEN_HASH_SIZE];
        uint64_t words[HASH_WORDS];
    } hash;
    access_verdict verdict = ACCESS_UNKNOWN;
    size_t place;

    if (!secret_hash(token, length, hash.bytes))
        return ACCESS_UNKNOWN;
    pthread_rwlock_rdlock(&all->lock);
    place = find_hash(&all->set, hash.words);
    if (place != NOBODY) {
        const access_entry *entry = &all->set.entries[place];
        *found = account_hold(entry->account);
        verdict = now < entry->expires ? ACCESS_GRANTED : ACCESS_EXPIRED;
    }
    pthread_rwlock_unlock(&all->lock);
    return verdict;
}
