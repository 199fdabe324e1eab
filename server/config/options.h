/* The table of options: the one place that knows their names, kinds, defaults and ranges. Flags,
 * variables, keys of the file, --help, the documentation's table and --check-config are made from
 * it. What the values mean is said in config.h. */
#ifndef GRADIENTD_OPTIONS_H
#define GRADIENTD_OPTIONS_H

#include "config/config.h"

typedef enum option_kind {
    OPTION_ADDRESS, /* char *: HOST:PORT */
    OPTION_ORIGINS, /* char *: origins with commas between, or "*" for all; "": none */
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
    const char *choices;    /* words with a space between; OPTION_ADDRESS: "none" where it may be */
    const char *automation; /* what 0 stands for, or NULL where it is an ordinary value */
    const char *help;
} option;

#define OPTION_TOTAL 28
extern const option config_options[OPTION_TOTAL];

/* What a flag may ask for besides a value; no variables and no keys but for --config's variable. */
typedef struct option_command {
    const char *name;
    const char *shorthand; /* "-h", or NULL */
    const char *argument;  /* "FILE", or NULL */
    config_action action;
    const char *help;
} option_command;

#define OPTION_COMMAND_COUNT 5
extern const option_command config_commands[OPTION_COMMAND_COUNT];

#define OPTION_VARIABLE_PREFIX "GRADIENTD_"
#define OPTION_NAME_SIZE 64

/* The option of that name, or NULL. */
const option *option_find(const char *name);

/* Where the value of config_options[place] came from, as --check-config says it. */
const char *config_source_of(const config_sources *sources, size_t place);

/* "max-body" to "GRADIENTD_MAX_BODY". */
void option_variable(const char *name, char variable[OPTION_NAME_SIZE]);

#endif
