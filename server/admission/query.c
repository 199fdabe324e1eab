/* The step that reads the query. No parameter is known but datatype, of the paths that compute. */
#include "admission/steps.h"

#include "config/suggest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORD_SIZE 128

/* ---- Escapes --------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? memchr(digits, c | 0x20, sizeof digits - 1) : NULL;
    return c >= '0' && c <= '9' ? c - '0' : at && c > '9' ? (int)(at - digits) : -1;
}

/* Undoes %XX. What is no escape stands for itself, and so does %00, which would end the word. Cut
 * off where the word is longer than any known one. */
static void unescape(const char *text, char word[WORD_SIZE])
{
    size_t length = 0;
    while (*text && length + 1 < WORD_SIZE) {
        int high = *text == '%' ? digit_of(text[1]) : -1;
        int low = high >= 0 ? digit_of(text[2]) : -1;
        bool is_escape = low >= 0 && high + low > 0;
        int byte = is_escape ? high << 4 | low : *text;
        word[length++] = (char)byte;
        text += is_escape ? 3 : 1;
    }
    word[length] = '\0';
}

/* ---- Words ----------------------------------------------------------------------------------- */

/* A word, and what it means here. */
typedef struct hint {
    const char *word;
    const char *meant;
} hint;

/* What is known first, then what is near: FP16 is neither, and no other datatype. */
static const char *find_hint(const char *word, const hint *known, size_t count)
{
    suggest_search search = {.given = word};
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(word, known[i].word) == 0)
            return known[i].meant;
    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i].word, known[i].meant) == 0)
            suggest_offer(&search, known[i].word);
    return search.best && search.distance <= strlen(word) / 4 ? search.best : NULL;
}

static void reject(request *r, const char *code, const char *what, const char *word,
                   const char *meant)
{
    char detail[GRAD_DETAIL_SIZE];
    snprintf(detail, sizeof detail, "%s \"%.100s\"%s%s%s", what, word,
             meant ? ", did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
    request_reject_with(r, MHD_HTTP_UNPROCESSABLE_CONTENT, code, detail);
}

static void reject_name(request *r, const char *name)
{
    static const hint names[] = {
        {"datatype", "datatype"}, {"dtype", "datatype"}, {"precision", "datatype"}};
    char what[WORD_SIZE];
    if (r->route->handler->takes_body) {
        reject(r, "unknown_field", "expected no query parameter but datatype, found", name,
               find_hint(name, names, sizeof names / sizeof names[0]));
    } else {
        snprintf(what, sizeof what, "%.60s takes no query, found the parameter", r->route->path);
        reject(r, "unknown_field", what, name, NULL);
    }
}

static void reject_value(request *r, const char *value)
{
    static const hint values[] = {{"FP32", "FP32"},    {"FP64", "FP64"},   {"float", "FP32"},
                                  {"float32", "FP32"}, {"single", "FP32"}, {"double", "FP64"},
                                  {"float64", "FP64"}};
    reject(r, "unsupported_value", "expected datatype=FP32 or datatype=FP64, found", value,
           find_hint(value, values, sizeof values / sizeof values[0]));
}

static bool read_datatype(const char *name, grad_datatype *datatype)
{
    static const char *const names[] = {[GRAD_FP32] = "FP32", [GRAD_FP64] = "FP64"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *datatype = (grad_datatype)i;
            return true;
        }
    }
    return false;
}

/* Two of one name could be understood in two ways. */
static enum MHD_Result check_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    (void)kind;
    request *r = context;
    char name_word[WORD_SIZE], value_word[WORD_SIZE];
    unescape(name, name_word);
    unescape(value ? value : "", value_word);
    if (strcmp(name_word, "datatype") != 0 || !r->route->handler->takes_body)
        reject_name(r, name_word);
    else if (r->has_datatype)
        request_reject_with(r, MHD_HTTP_UNPROCESSABLE_CONTENT, "duplicate_field",
                            "expected one query parameter datatype, found two");
    else if (!read_datatype(value_word, &r->datatype))
        reject_value(r, value_word);
    r->has_datatype = true;
    return r->status == 0 ? MHD_YES : MHD_NO;
}

outcome step_query(request *r)
{
    if (!r->route->handler->ignores_query)
        MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, check_parameter, r);
    return r->status == 0 ? OUTCOME_MORE : OUTCOME_REJECTED;
}
