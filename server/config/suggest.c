/* Suggestions: edit distance, and before it a table of what other servers call our options. */
#include "config/suggest.h"

#include "config/options.h"
#include "gradient.h"

#include <string.h>

/* More would name another thing: read-timeout is no header-timeout. */
enum { MOST_EDITS = 2 };

void suggest_offer(suggest_search *search, const char *candidate)
{
    size_t distance = grad_name_distance(search->given, candidate);
    size_t longer = strlen(search->given);

    if (longer < strlen(candidate))
        longer = strlen(candidate);
    if (distance <= MOST_EDITS && distance <= longer / 4 &&
        (search->best == NULL || distance < search->distance)) {
        search->best = candidate;
        search->distance = distance;
    }
}

#define ADDRESS "127.0.0.1:8080"

static const struct {
    const char *others; /* between blanks */
    suggestion ours;
} synonyms[] = {
    {" p port host hostname bind bind-address bind-addr address addr listen-address listen-addr "
     "http-port http-host http-addr server-port ip interface l b ",
     {"listen", ADDRESS}},
    {" admin-port admin-host admin-address metrics-port metrics-address health-port ",
     {"admin-listen", "127.0.0.1:8081"}},
    {" threads num-threads worker-threads processes concurrency j jobs ", {"workers", NULL}},
    {" v vv verbose verbosity debug loglevel ", {"log-level", "debug"}},
    {" q quiet silent ", {"log-level", "warning"}},
    {" access-log log-access ", {"log-requests", NULL}},
    {" c conf config-file configuration ", {"config", NULL}},
    {" timeout ", {"request-timeout", NULL}},
    {" shutdown-timeout graceful-timeout graceful-shutdown-timeout stop-timeout grace-period ",
     {"drain-timeout", NULL}},
    {" write-timeout send-timeout ", {"reply-timeout", NULL}},
    {" read-timeout client-body-timeout ", {"body-timeout", NULL}},
    {" max-queue queue queue-size queue-length backlog ", {"queue-depth", NULL}},
    {" keep-alive keepalive keepalive-timeout keep-alive-timeout ", {"idle-timeout", NULL}},
    {" max-request-size max-body-size body-size body-limit client-max-body-size ",
     {"max-body", NULL}},
    {" memory max-memory memory-limit ", {"memory-budget", NULL}},
};

/* As an option would be spelled: "MAX_BODY" is "max-body". Longer names are cut. */
static void spell(const char *given, char spelled[OPTION_NAME_SIZE])
{
    size_t length = 0;

    for (; given[length] && length + 1 < OPTION_NAME_SIZE; length++) {
        char c = given[length];
        spelled[length] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    spelled[length] = '\0';
}

static bool is_command(const char *name)
{
    return option_find(name) == NULL;
}

static suggestion find_synonym(const char *spelled, size_t commands)
{
    char word[OPTION_NAME_SIZE + 2];

    snprintf(word, sizeof word, " %s ", spelled);
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (strstr(synonyms[i].others, word) != NULL &&
            (commands > 0 || !is_command(synonyms[i].ours.name)))
            return synonyms[i].ours;
    return (suggestion){NULL, NULL};
}

suggestion suggest_option(const char *given, size_t commands)
{
    char spelled[OPTION_NAME_SIZE];
    suggest_search search;
    suggestion found;

    spell(given, spelled);
    found = find_synonym(spelled, commands);
    if (found.name != NULL || strlen(given) >= sizeof spelled)
        return found;
    search = (suggest_search){.given = spelled};
    for (size_t i = 0; i < option_total; i++)
        suggest_offer(&search, config_options[i].name);
    for (size_t i = 0; i < commands; i++)
        suggest_offer(&search, config_commands[i].name);
    return (suggestion){search.best, NULL};
}
