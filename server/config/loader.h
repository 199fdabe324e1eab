/* What the readers of flags, variables and the file share while a configuration is loaded. Private
 * to this room. */
#ifndef GRADIENTD_LOADER_H
#define GRADIENTD_LOADER_H

#include "config/options.h"

/* Who may overrule whom: a later rank replaces an earlier one, whatever is read first. */
typedef enum config_rank { RANK_DEFAULT, RANK_FILE, RANK_VARIABLE, RANK_FLAG } config_rank;

struct config_sources {
    struct {
        config_rank rank;
        char *where; /* "/etc/gradientd.conf:3", "GRADIENTD_LISTEN", "--listen"; owned */
    } of[OPTION_TOTAL];
};

typedef struct loader {
    config *values;
    config_sources *sources;
    config_action action;
    const char *path; /* of the file, borrowed, or NULL */
    char *message;    /* of message_size; said once, when something returns false */
    size_t message_size;
} loader;

/* Fills the message and returns false. */
bool loader_fail(loader *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives an option the value that the text spells, unless a higher rank has given it one; a text
 * that spells none is an error either way. where names the source in messages and listings. */
bool loader_assign(loader *l, const option *o, const char *text, config_rank rank,
                   const char *where);

/* The three readers. Each fills what is its own and stops at the first error. */
bool loader_read_flags(loader *l, int argc, char **argv);
bool loader_read_variables(loader *l, char **environment);
bool loader_read_file(loader *l);

#endif
