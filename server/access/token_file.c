/* Reading token files. */
#include "access/token_file.h"

#include "config/options.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLANKS " \t\r"
#define DIGITS "0123456789"
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "._-@"
#define KIB 1024.0
#define TIB (KIB * KIB * KIB * KIB)
#define MOST_REQUESTS 1e9
#define LONGEST_WINDOW (366 * 86400)

typedef struct reader {
    token_list *list;
    token_line *line; /* the one being read */
    char *message;
    size_t message_size;
} reader;

/* Fills the message with the line's number and a text, and returns false. */
static bool fail(reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(reader *r, const char *format, ...)
{
    int length = snprintf(r->message, r->message_size, "line %zu: ", r->line->number);
    va_list arguments;

    va_start(arguments, format);
    if (length > 0 && (size_t)length < r->message_size)
        vsnprintf(r->message + length, r->message_size - (size_t)length, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- The name and the hash ------------------------------------------------------------------- */

static bool read_name(reader *r, const char *text)
{
    size_t length = strspn(text, NAME_BYTES);

    if (text[length] != '\0' || length >= TOKEN_NAME_SIZE || !isalnum((unsigned char)text[0])) {
        return fail(r,
                    "expected a name of at most %d letters, digits and . _ - @, beginning with "
                    "a letter or a digit, found something else",
                    TOKEN_NAME_SIZE - 1);
    }
    memcpy(r->line->name, text, length + 1);
    return true;
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* What stands in its place may be the token itself: it is not quoted. */
static bool read_hash(reader *r, const char *text)
{
    static const char prefix[] = TOKEN_HASH_PREFIX;
    const char *hex;

    if (text == NULL || strncmp(text, prefix, sizeof prefix - 1) != 0 ||
        strlen(text) != sizeof prefix - 1 + 2 * sizeof r->line->hash) {
        return fail(r,
                    "expected %s and %zu hexadecimal digits behind the name, as `gradientd "
                    "token NAME` prints them, found %s",
                    prefix, 2 * sizeof r->line->hash, text == NULL ? "nothing" : "another text");
    }
    hex = text + sizeof prefix - 1;
    for (size_t i = 0; i < sizeof r->line->hash; i++) {
        int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return fail(r, "expected hexadecimal digits behind %s, found another character",
                        prefix);
        r->line->hash[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* ---- Quotas ---------------------------------------------------------------------------------- */

/* A whole number from 1 on, as options spell it. */
static bool read_amount(const char *text, option_kind kind, uint64_t *amount)
{
    const option range = {
        .kind = kind, .least = 1, .most = kind == OPTION_NUMBER ? MOST_REQUESTS : 1024 * TIB};
    option_value value;

    if (!value_parse(&range, text, &value))
        return false;
    *amount = value.number;
    return true;
}

/* "s", "10m", "h", "d": seconds. */
static bool read_window(const char *text, uint64_t *seconds)
{
    static const struct {
        const char *unit;
        unsigned long seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    size_t digits = strspn(text, DIGITS);
    unsigned long count = digits == 0 ? 1 : digits < 9 ? strtoul(text, NULL, 10) : 0;

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + digits, units[i].unit) == 0) {
            *seconds = count * units[i].seconds;
            return *seconds > 0 && *seconds <= LONGEST_WINDOW;
        }
    }
    return false;
}

/* "10/s", "1GiB/d" */
static bool read_limit(char *text, option_kind kind, quota_limit *limit)
{
    char *slash = strchr(text, '/');

    if (slash == NULL)
        return false;
    *slash = '\0';
    return read_amount(text, kind, &limit->amount) && read_window(slash + 1, &limit->window);
}

static bool read_rate(reader *r, char *text)
{
    return read_limit(text, OPTION_NUMBER, &r->line->limits.rate) ||
           fail(r, "expected rate as NUMBER/TIME, such as 10/s, 600/m or 50/5s, found another "
                   "text");
}

static bool read_bytes(reader *r, char *text)
{
    return read_limit(text, OPTION_SIZE, &r->line->limits.bytes) ||
           fail(r, "expected bytes as SIZE/TIME, such as 1MiB/s or 10GiB/d, found another text");
}

static bool read_concurrent(reader *r, char *text)
{
    return read_amount(text, OPTION_NUMBER, &r->line->limits.concurrent) ||
           fail(r, "expected concurrent as a number from 1 on, found another text");
}

/* ---- Dates ----------------------------------------------------------------------------------- */

/* Two or four digits at that place of a text. */
static int number_at(const char *text, size_t at, size_t count)
{
    int number = 0;

    for (size_t i = at; i < at + count; i++)
        number = number * 10 + (text[i] - '0');
    return number;
}

/* Whether the text begins as the form does, in which 0 stands for any digit. */
static bool has_form(const char *text, const char *form)
{
    for (; *form != '\0'; text++, form++)
        if (*form == '0' ? !isdigit((unsigned char)*text) : toupper((unsigned char)*text) != *form)
            return false;
    return true;
}

/* Seconds east of Greenwich: "Z", "+01:00". */
static bool read_offset(const char *text, int64_t *offset)
{
    int hours, minutes;

    *offset = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    if ((!has_form(text, "+00:00") && !has_form(text, "-00:00")) || strlen(text) != 6)
        return false;
    hours = number_at(text, 1, 2);
    minutes = number_at(text, 4, 2);
    *offset = (text[0] == '-' ? -60 : 60) * (int64_t)(hours * 60 + minutes);
    return hours < 24 && minutes < 60;
}

/* RFC 3339, section 5.6: a date, which stands for its first second in UTC, or a date with a time
 * and an offset. Fractions of a second are not read. */
static bool read_date(const char *text, int64_t *seconds)
{
    bool has_time = has_form(text, "0000-00-00T00:00:00");
    struct tm date = {0}, normal;
    int64_t offset = 0;

    if (!has_form(text, "0000-00-00") || (!has_time && text[10] != '\0') ||
        (has_time && !read_offset(text + 19, &offset)))
        return false;
    date.tm_year = number_at(text, 0, 4) - 1900;
    date.tm_mon = number_at(text, 5, 2) - 1;
    date.tm_mday = number_at(text, 8, 2);
    if (has_time) {
        date.tm_hour = number_at(text, 11, 2);
        date.tm_min = number_at(text, 14, 2);
        date.tm_sec = number_at(text, 17, 2);
    }
    normal = date;
    *seconds = (int64_t)timegm(&normal) - offset;
    return normal.tm_mon == date.tm_mon && normal.tm_mday == date.tm_mday &&
           normal.tm_hour == date.tm_hour && normal.tm_min == date.tm_min;
}

static bool read_expires(reader *r, char *text)
{
    return read_date(text, &r->line->expires) ||
           fail(r, "expected expires as a date of RFC 3339, such as 2027-01-31 or "
                   "2027-01-31T12:00:00Z, found another text");
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*read)(reader *r, char *text);
} fields[] = {{"rate", read_rate},
              {"bytes", read_bytes},
              {"concurrent", read_concurrent},
              {"expires", read_expires}};
#define FIELD_COUNT (sizeof fields / sizeof *fields)

/* What is no field may be a secret, and is not quoted. */
static bool read_field(reader *r, char *word, bool seen[FIELD_COUNT])
{
    char *equals = strchr(word, '=');

    if (equals != NULL)
        *equals = '\0';
    for (size_t i = 0; equals != NULL && i < FIELD_COUNT; i++) {
        if (strcmp(word, fields[i].name) == 0) {
            if (seen[i])
                return fail(r, "expected one %s=, found two", fields[i].name);
            seen[i] = true;
            return fields[i].read(r, equals + 1);
        }
    }
    return fail(r, "expected rate=, bytes=, concurrent= or expires= behind the hash, found another "
                   "word");
}

/* Names stand for accounts, hashes for tokens: neither may come twice. A name is not quoted, for it
 * may be a secret in the wrong place. */
static bool is_new(reader *r)
{
    const token_line *line = r->line;

    for (size_t i = 0; i < r->list->count; i++) {
        const token_line *other = &r->list->lines[i];
        if (strcmp(other->name, line->name) == 0)
            return fail(r, "expected each name once, found that of line %zu again", other->number);
        if (memcmp(other->hash, line->hash, sizeof line->hash) == 0)
            return fail(r, "expected each token once, found the hash in line %zu already",
                        other->number);
    }
    return true;
}

static bool read_words(reader *r, char *text)
{
    bool seen[FIELD_COUNT] = {false};
    char *rest;
    char *word = strtok_r(text, BLANKS, &rest);

    if (!read_name(r, word) || !read_hash(r, strtok_r(NULL, BLANKS, &rest)))
        return false;
    while ((word = strtok_r(NULL, BLANKS, &rest)) != NULL)
        if (!read_field(r, word, seen))
            return false;
    return is_new(r);
}

static bool append(reader *r)
{
    token_list *list = r->list;

    if (list->count == TOKENS_MOST)
        return fail(r, "expected at most %d tokens, found more", TOKENS_MOST);
    if ((list->count & (list->count - 1)) == 0) {
        size_t room = list->count == 0 ? 1 : 2 * list->count;
        token_line *larger = realloc(list->lines, room * sizeof *larger);
        if (larger == NULL)
            return fail(r, "no memory for the tokens");
        list->lines = larger;
    }
    list->lines[list->count++] = *r->line;
    return true;
}

/* Empty lines and those that begin with # say nothing. */
static bool read_line(reader *r, char *text)
{
    text += strspn(text, BLANKS);
    return text[0] == '\0' || text[0] == '#' || (read_words(r, text) && append(r));
}

static bool read_lines(reader *r, char *text)
{
    bool good = true;

    for (char *at = text, *next; at != NULL && good; at = next) {
        token_line line = {.expires = INT64_MAX, .number = r->line->number + 1};
        next = strchr(at, '\n');
        if (next != NULL)
            *next++ = '\0';
        *r->line = line;
        good = read_line(r, at);
    }
    return good;
}

bool token_file_parse(const char *text, token_list *list, char *message, size_t message_size)
{
    token_list found = {.lines = NULL};
    token_line line = {.number = 0};
    reader r = {.list = &found, .line = &line, .message = message, .message_size = message_size};
    char *copy = strdup(text);
    bool good = copy != NULL ? read_lines(&r, copy) : fail(&r, "no memory for the text");

    free(copy);
    if (good)
        *list = found;
    else
        token_list_free(&found);
    return good;
}

void token_list_free(token_list *list)
{
    free(list->lines);
    *list = (token_list){.lines = NULL};
}
