/* The table of options: their names, kinds, defaults and ranges; and one option's value as text.
 * Flags, variables, keys of the file, --help, the documentation's table and --check-config are made
 * from it. */
#ifndef GRADIENTD_OPTIONS_H
#define GRADIENTD_OPTIONS_H

#include "config/config.h"

typedef enum option_kind {
    OPTION_ADDRESS, /* char *: HOST:PORT */
    OPTION_ORIGINS, /* char *: origins with commas between, or "*" for all; "": none */
    OPTION_HOSTS,   /* char *: hosts with commas between, "*" for all, or "auto" */
    OPTION_PATH,    /* char *: a file's; "": none */
    OPTION_OWNER,   /* char *: USER, :GROUP or USER:GROUP, by names or numbers; "": none */
    OPTION_MODE,    /* size_t: of a file, in octal digits */
    OPTION_NUMBER,  /* size_t */
    OPTION_SIZE,    /* size_t: bytes */
    OPTION_RATE,    /* size_t: bytes a second */
    OPTION_TIME,    /* double: seconds */
    OPTION_CHOICE,  /* int: the place of a word in choices */
    OPTION_SWITCH   /* bool */
} option_kind;

/* When a new value takes effect: SIGHUP reads everything again. */
typedef enum option_change { AT_RESTART, AT_RELOAD } option_change;

typedef struct option {
    const char *name; /* "max-body": --max-body, GRADIENTD_MAX_BODY, max-body = … */
    option_kind kind;
    size_t offset; /* of the value in config */
    option_change change;
    const char *initial;    /* the default, spelled as a user would or in digits */
    double least, most;     /* of numbers, both allowed */
    const char *choices;    /* words with a space between; of texts: "none" where it may be */
    const char *automation; /* what 0 stands for, or NULL where it is an ordinary value */
    const char *help;
} option;

#define OPTION_MOST 64 /* of what is kept beside each */
extern const option config_options[];
extern const size_t option_total;

/* What a flag may ask for besides a value; no variables and no keys but for --config's variable. */
typedef struct option_command {
    const char *name;
    const char *shorthand; /* "-h", or NULL */
    const char *argument;  /* "FILE", or "[TOPIC]" where it may be left out; NULL: it takes none */
    config_action action;
    const char *help;
} option_command;

#define OPTION_COMMAND_COUNT 5
extern const option_command config_commands[OPTION_COMMAND_COUNT];

#define OPTION_VARIABLE_PREFIX "GRADIENTD_"
#define OPTION_NAME_SIZE 64

/* The option of that name, or NULL. */
const option *option_find(const char *name);

/* Whether its values are texts. */
bool option_is_text(const option *o);

/* Where the value of config_options[place] came from, as --check-config says it. */
const char *config_source_of(const config_sources *sources, size_t place);

/* "max-body" to "GRADIENTD_MAX_BODY". */
void option_variable(const char *name, char variable[OPTION_NAME_SIZE]);

/* ---- Values ---------------------------------------------------------------------------------- */

typedef struct option_value {
    size_t number;    /* OPTION_NUMBER, OPTION_SIZE, OPTION_RATE */
    double seconds;   /* OPTION_TIME */
    bool on;          /* OPTION_SWITCH */
    int choice;       /* OPTION_CHOICE */
    const char *text; /* kinds of text (option_is_text): the text itself, or "" for none */
} option_value;

/* Reads the text as a value of that option, in its range. False, and *value untouched, where it is
 * none. */
bool value_parse(const option *o, const char *text, option_value *value);

/* Says what value_parse expects: "a size from 1KiB to 64GiB, such as …". */
#define VALUE_EXPECTED_SIZE 160
void value_expected(const option *o, char text[VALUE_EXPECTED_SIZE]);

/* The range alone, "1KiB to 64GiB", or the choices; for the documentation. */
#define VALUE_RANGE_SIZE 64
void value_range(const option *o, char text[VALUE_RANGE_SIZE]);

/* The default as people read it: "64Mi", where the table has digits too. */
#define VALUE_INITIAL_SIZE 64
void value_initial(const option *o, char text[VALUE_INITIAL_SIZE]);

/* Puts the value where the option's offset says, a copy of its text too (freeing the one before).
 * False: no memory, nothing changed. */
bool value_store(const option *o, const option_value *value, config *values);

/* Frees the text that the option's field holds; nothing where it holds none. */
void value_free(const option *o, config *values);

/* Whether both hold the same value of that option. */
bool value_equal(const option *o, const config *a, const config *b);

/* Gives to the value that from has; of all kinds but those of text. */
void value_copy(const option *o, const config *from, config *to);

/* Writes the value of that option in values as a text that value_parse reads back. */
void value_format(const option *o, const config *values, FILE *out);

/* Whether it is the option's default, set or not. */
bool value_is_default(const option *o, const config *values);

/* Whether it is a 0 that is replaced at start. */
bool value_is_automatic(const option *o, const config *values);

#endif
