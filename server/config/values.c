/* One option's value: text to value and back. Numbers are plain digits and a unit; nothing that
 * strtod would take besides ("inf", "0x10", " 1", "1e3") is one. */
#include "config/options.h"

#include "config/address.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

typedef struct unit {
    const char *name;
    double factor;
} unit;

#define KIBI 1024.0
#define MEBI (KIBI * KIBI)
#define GIBI (KIBI * MEBI)
#define TEBI (KIBI * GIBI)

static const unit counts[] = {{"", 1},      {"k", 1e3},   {"M", 1e6},   {"G", 1e9},
                              {"Ki", KIBI}, {"Mi", MEBI}, {"Gi", GIBI}, {"Ti", TEBI}};
static const unit sizes[] = {{"", 1},       {"B", 1},      {"k", 1e3},    {"M", 1e6},
                             {"G", 1e9},    {"kB", 1e3},   {"MB", 1e6},   {"GB", 1e9},
                             {"Ki", KIBI},  {"Mi", MEBI},  {"Gi", GIBI},  {"Ti", TEBI},
                             {"KiB", KIBI}, {"MiB", MEBI}, {"GiB", GIBI}, {"TiB", TEBI}};
static const unit times[] = {{"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}};

static bool unit_find(const unit *units, size_t count, const char *name, double *factor)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(units[i].name, name) == 0) {
            *factor = units[i].factor;
            return true;
        }
    }
    return false;
}

/* Digits and a unit. Doubles are exact here: ranges end far below 2^53. */
static bool parse_whole(const option *o, const char *text, size_t *number)
{
    size_t length = strspn(text, DIGITS);
    bool bytes = o->kind != OPTION_NUMBER;
    double factor;
    double whole;

    if (length == 0 ||
        !unit_find(bytes ? sizes : counts,
                   bytes ? sizeof sizes / sizeof *sizes : sizeof counts / sizeof *counts,
                   text + length, &factor))
        return false;
    whole = strtod(text, NULL) * factor;
    if (whole < o->least || whole > o->most || whole >= (double)SIZE_MAX)
        return false;
    *number = (size_t)whole;
    return true;
}

/* Digits, perhaps a point and digits, and a unit. */
static bool parse_time(const option *o, const char *text, double *seconds)
{
    size_t length = strspn(text, DIGITS);
    double value;
    double factor;

    if (length > 0 && text[length] == '.') {
        size_t fraction = strspn(text + length + 1, DIGITS);
        length = fraction > 0 ? length + 1 + fraction : 0;
    }
    if (length == 0 || !unit_find(times, sizeof times / sizeof *times, text + length, &factor))
        return false;
    value = strtod(text, NULL) * factor;
    if (value < o->least || value > o->most)
        return false;
    *seconds = value;
    return true;
}

/* The place of a word among words with spaces between, or -1. */
static int word_find(const char *words, const char *word)
{
    size_t length = strlen(word);
    int place = 0;

    for (const char *at = words; *at; at += strspn(at, " "), place++) {
        size_t next = strcspn(at, " ");
        if (next == length && strncmp(at, word, length) == 0)
            return place;
        at += next;
    }
    return -1;
}

static bool word_among(const char *words, const char *word)
{
    return word_find(words, word) >= 0;
}

static bool parse_switch(const char *text, bool *on)
{
    *on = word_among("on true yes 1", text);
    return *on || word_among("off false no 0", text);
}

static bool parse_address(const option *o, const char *text, const char **value)
{
    address parts;
    bool none = text[0] == '\0' || strcmp(text, "none") == 0;

    *value = none ? "" : text;
    if (none)
        return word_among(o->choices, "none");
    return address_unix_path(text) != NULL || address_split(text, &parts);
}

static bool parse_mode(const option *o, const char *text, size_t *mode)
{
    size_t length = strspn(text, "01234567");

    if (length < 3 || length > 4 || text[length] != '\0')
        return false;
    *mode = strtoul(text, NULL, 8);
    return (double)*mode <= o->most;
}

/* Whether there are such a user and group, is seen where they are needed. */
static bool parse_owner(const char *text, const char **value)
{
    const char *colon = strchr(text, ':');
    bool none = text[0] == '\0' || strcmp(text, "none") == 0;

    *value = none ? "" : text;
    return none || colon == NULL || (colon[1] != '\0' && strchr(colon + 1, ':') == NULL);
}

static bool parse_origins(const char *text, const char **value)
{
    bool none = text[0] == '\0' || strcmp(text, "none") == 0;

    *value = none ? "" : text;
    return none || origins_are_sound(text);
}

/* Whether a line of the configuration file can say it: no control character, no blank at either
 * end, nothing that begins a comment. */
static bool fits_a_line(const char *text)
{
    size_t length = strlen(text);

    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || (*c == '#' && (c == text || c[-1] == ' ')))
            return false;
    return length == 0 || (text[0] != ' ' && text[length - 1] != ' ');
}

static bool parse_path(const option *o, const char *text, const char **value)
{
    bool none = text[0] == '\0' || strcmp(text, "none") == 0;

    *value = none ? "" : text;
    return fits_a_line(text) && (!none || word_among(o->choices, "none"));
}

bool value_parse(const option *o, const char *text, option_value *value)
{
    option_value found = {.text = text};
    bool good = false;

    switch (o->kind) {
    case OPTION_ADDRESS:
        good = parse_address(o, text, &found.text);
        break;
    case OPTION_ORIGINS:
        good = parse_origins(text, &found.text);
        break;
    case OPTION_HOSTS:
        good = hosts_are_sound(text);
        break;
    case OPTION_PATH:
        good = parse_path(o, text, &found.text);
        break;
    case OPTION_OWNER:
        good = parse_owner(text, &found.text);
        break;
    case OPTION_MODE:
        good = parse_mode(o, text, &found.number);
        break;
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_RATE:
        good = parse_whole(o, text, &found.number);
        break;
    case OPTION_TIME:
        good = parse_time(o, text, &found.seconds);
        break;
    case OPTION_CHOICE:
        found.choice = word_find(o->choices, text);
        good = found.choice >= 0;
        break;
    case OPTION_SWITCH:
        good = parse_switch(text, &found.on);
        break;
    }
    if (good)
        *value = found;
    return good;
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* In the largest binary unit that divides the number; counts below 2^20 read better whole, and
 * whole thousands of millions as such. */
static void format_whole(option_kind kind, double number, char *text, size_t size)
{
    static const char *const prefixes[] = {"", "Ki", "Mi", "Gi", "Ti"};
    bool bytes = kind != OPTION_NUMBER;
    size_t prefix = 0;

    if (!bytes && number >= 1e9 && fmod(number, 1e9) == 0) {
        snprintf(text, size, "%.0fG", number / 1e9);
        return;
    }
    while ((bytes || number >= MEBI || prefix > 0) &&
           prefix + 1 < sizeof prefixes / sizeof *prefixes && number >= 1024 &&
           fmod(number, 1024) == 0) {
        number /= 1024;
        prefix++;
    }
    snprintf(text, size, "%.0f%s%s", number, prefixes[prefix], bytes && prefix > 0 ? "B" : "");
}

/* Down to picoseconds, without an exponent. */
static void format_time(double seconds, char *text, size_t size)
{
    bool small = seconds > 0 && seconds < 1;
    int length = snprintf(text, size, "%.9f", small ? seconds * 1e3 : seconds);

    while (text[length - 1] == '0')
        length--;
    length -= text[length - 1] == '.';
    snprintf(text + length, size - (size_t)length, "%s", small ? "ms" : "s");
}

static void format_number(const option *o, double number, char *text, size_t size)
{
    if (o->kind == OPTION_TIME)
        format_time(number, text, size);
    else
        format_whole(o->kind, number, text, size);
}

static bool is_numeric(const option *o)
{
    return o->kind == OPTION_NUMBER || o->kind == OPTION_SIZE || o->kind == OPTION_RATE ||
           o->kind == OPTION_TIME;
}

void value_range(const option *o, char text[VALUE_RANGE_SIZE])
{
    if (is_numeric(o)) {
        char least[24], most[24];
        format_number(o, o->least, least, sizeof least);
        format_number(o, o->most, most, sizeof most);
        snprintf(text, VALUE_RANGE_SIZE, "%s to %s", least, most);
    } else if (o->kind == OPTION_MODE) {
        snprintf(text, VALUE_RANGE_SIZE, "0000 to %04o", (unsigned)o->most);
    } else if (o->kind == OPTION_OWNER) {
        snprintf(text, VALUE_RANGE_SIZE, "USER:GROUP, none");
    } else if (o->kind == OPTION_SWITCH) {
        snprintf(text, VALUE_RANGE_SIZE, "on, off");
    } else if (o->kind == OPTION_ORIGINS) {
        snprintf(text, VALUE_RANGE_SIZE, "ORIGINS, *, none");
    } else if (o->kind == OPTION_HOSTS) {
        snprintf(text, VALUE_RANGE_SIZE, "HOSTS, *, auto");
    } else if (o->kind == OPTION_PATH) {
        snprintf(text, VALUE_RANGE_SIZE, "FILE%s", o->choices[0] ? ", none" : "");
    } else if (o->kind == OPTION_ADDRESS) {
        snprintf(text, VALUE_RANGE_SIZE, "HOST:PORT, unix:PATH%s", o->choices[0] ? ", none" : "");
    } else {
        size_t length = 0;
        for (const char *c = o->choices; *c && length + 3 < VALUE_RANGE_SIZE; c++) {
            if (*c == ' ')
                text[length++] = ',';
            text[length++] = *c;
        }
        text[length] = '\0';
    }
}

void value_initial(const option *o, char text[VALUE_INITIAL_SIZE])
{
    if (is_numeric(o) && o->initial[strspn(o->initial, DIGITS)] == '\0')
        format_number(o, strtod(o->initial, NULL), text, VALUE_INITIAL_SIZE);
    else
        snprintf(text, VALUE_INITIAL_SIZE, "%s", o->initial);
}

void value_expected(const option *o, char text[VALUE_EXPECTED_SIZE])
{
    static const struct {
        const char *before, *after;
    } around[] = {
        [OPTION_ADDRESS] = {"", ", such as 127.0.0.1:8080, [::1]:8080, *:8080 for all addresses or "
                                "unix:/run/gradientd/socket"},
        [OPTION_ORIGINS] = {"", ", with commas between origins such as https://a.example or "
                                "http://localhost:3000"},
        [OPTION_HOSTS] = {"", ", with commas between hosts without a port such as a.example or "
                              "[::1]"},
        [OPTION_PATH] = {"the path of a ", ""},
        [OPTION_OWNER] = {"", ", of which one may be missing"},
        [OPTION_MODE] = {"a mode from ", ", in octal digits"},
        [OPTION_NUMBER] = {"a number from ", ", with k, M, G, Ki, Mi, Gi or no unit"},
        [OPTION_SIZE] = {"a size from ", ", with k, M, G, KiB, MiB, GiB or no unit"},
        [OPTION_RATE] = {"bytes a second from ", ", with k, M, G, KiB, MiB, GiB or no unit"},
        [OPTION_TIME] = {"a time from ", ", with ms, s, m or no unit"},
        [OPTION_CHOICE] = {"one of ", ""},
        [OPTION_SWITCH] = {"one of ", ""},
    };
    char range[VALUE_RANGE_SIZE];

    value_range(o, range);
    snprintf(text, VALUE_EXPECTED_SIZE, "%s%s%s", around[o->kind].before, range,
             around[o->kind].after);
}

/* ---- The config ------------------------------------------------------------------------------ */

typedef _Atomic size_t whole_field;
typedef _Atomic double time_field;
typedef _Atomic int choice_field;
typedef _Atomic bool switch_field;

static void *field_of(const option *o, const config *values)
{
    return (char *)(uintptr_t)values + o->offset;
}

/* What a field holds. */
static option_value value_load(const option *o, const config *values)
{
    const void *field = field_of(o, values);

    switch (o->kind) {
    case OPTION_ADDRESS:
    case OPTION_ORIGINS:
    case OPTION_HOSTS:
    case OPTION_PATH:
    case OPTION_OWNER:
        return (option_value){.text = *(char *const *)field};
    case OPTION_MODE:
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_RATE:
        return (option_value){.number = *(const whole_field *)field};
    case OPTION_TIME:
        return (option_value){.seconds = *(const time_field *)field};
    case OPTION_CHOICE:
        return (option_value){.choice = *(const choice_field *)field};
    case OPTION_SWITCH:
        break;
    }
    return (option_value){.on = *(const switch_field *)field};
}

void config_each_file(const config *values, void (*visit)(void *context, const char *path),
                      void *context)
{
    if (values->path != NULL)
        visit(context, values->path);
    for (size_t i = 0; i < option_total; i++) {
        const option *o = &config_options[i];
        if (o->kind == OPTION_PATH && value_load(o, values).text[0] != '\0')
            visit(context, value_load(o, values).text);
    }
}

static bool store_text(char **field, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return false;
    free(*field);
    *field = copy;
    return true;
}

bool value_store(const option *o, const option_value *value, config *values)
{
    void *field = field_of(o, values);

    switch (o->kind) {
    case OPTION_ADDRESS:
    case OPTION_ORIGINS:
    case OPTION_HOSTS:
    case OPTION_PATH:
    case OPTION_OWNER:
        return store_text(field, value->text);
    case OPTION_MODE:
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_RATE:
        *(whole_field *)field = value->number;
        break;
    case OPTION_TIME:
        *(time_field *)field = value->seconds;
        break;
    case OPTION_CHOICE:
        *(choice_field *)field = value->choice;
        break;
    case OPTION_SWITCH:
        *(switch_field *)field = value->on;
        break;
    }
    return true;
}

void value_free(const option *o, config *values)
{
    if (option_is_text(o))
        free(*(char **)field_of(o, values));
}

bool value_equal(const option *o, const config *a, const config *b)
{
    option_value left = value_load(o, a), right = value_load(o, b);

    if (option_is_text(o))
        return strcmp(left.text, right.text) == 0;
    return left.number == right.number && left.seconds == right.seconds &&
           left.choice == right.choice && left.on == right.on;
}

void value_copy(const option *o, const config *from, config *to)
{
    option_value value = value_load(o, from);

    value_store(o, &value, to);
}

static void print_choice(const char *choices, int place, FILE *out)
{
    for (; place > 0; place--)
        choices += strcspn(choices, " ") + 1;
    fprintf(out, "%.*s", (int)strcspn(choices, " "), choices);
}

void value_format(const option *o, const config *values, FILE *out)
{
    option_value value = value_load(o, values);
    char text[64];

    if (o->kind == OPTION_MODE) {
        fprintf(out, "%04zo", value.number);
    } else if (o->kind == OPTION_SWITCH) {
        fputs(value.on ? "on" : "off", out);
    } else if (o->kind == OPTION_CHOICE) {
        print_choice(o->choices, value.choice, out);
    } else if (is_numeric(o)) {
        double number = o->kind == OPTION_TIME ? value.seconds : (double)value.number;
        format_number(o, number, text, sizeof text);
        fputs(text, out);
    } else {
        fputs(value.text[0] ? value.text : "none", out);
    }
}

bool value_is_default(const option *o, const config *values)
{
    config initial = {.listen = NULL};
    option_value value;
    bool same = value_parse(o, o->initial, &value) && value_store(o, &value, &initial) &&
                value_equal(o, &initial, values);

    config_free(&initial, NULL);
    return same;
}

bool value_is_automatic(const option *o, const config *values)
{
    return o->automation != NULL && value_load(o, values).number == 0;
}
