/* Reading Accept and Accept-Encoding. */
#include "http/accept.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t"
#define WHOLE 1000

/* "1", "0.5", "1.000": at most three digits behind the point. ACCEPT_UNNAMED: it is no weight. */
static int read_weight(const char *text, size_t length)
{
    int weight = WHOLE, unit = WHOLE / 10;

    if (length == 0 || length > 5 || (*text != '0' && *text != '1') ||
        (length > 1 && text[1] != '.'))
        return ACCEPT_UNNAMED;
    weight *= *text - '0';
    for (size_t i = 2; i < length; i++, unit /= 10) {
        if (!isdigit((unsigned char)text[i]))
            return ACCEPT_UNNAMED;
        weight += unit * (text[i] - '0');
    }
    return weight <= WHOLE ? weight : ACCEPT_UNNAMED;
}

/* What stands behind the name in an element: nothing, or ";q=" and a weight. */
static int read_rest(const char *text, size_t length)
{
    size_t blanks;

    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
        length--;
    if (length == 0)
        return WHOLE;
    if (*text != ';')
        return ACCEPT_UNNAMED;
    blanks = 1 + strspn(text + 1, BLANKS);
    if (length < blanks + 2 || strncasecmp(text + blanks, "q=", 2) != 0)
        return ACCEPT_UNNAMED;
    return read_weight(text + blanks + 2, length - blanks - 2);
}

static bool is_named(const char *element, size_t length, const char *name)
{
    return strlen(name) == length && strncasecmp(element, name, length) == 0;
}

int accept_weight(const char *text, const char *name)
{
    while (text != NULL && *text != '\0') {
        const char *element = text + strspn(text, BLANKS);
        size_t length = strcspn(element, ","), named = strcspn(element, BLANKS ";,");
        size_t rest = named + strspn(element + named, BLANKS);
        int weight = is_named(element, named, name) ? read_rest(element + rest, length - rest)
                                                    : ACCEPT_UNNAMED;
        if (weight != ACCEPT_UNNAMED)
            return weight;
        text = element + length + (element[length] == ',');
    }
    return ACCEPT_UNNAMED;
}
