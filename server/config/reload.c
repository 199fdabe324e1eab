/* Reading the configuration again while the daemon runs: what differs, and which of it takes effect
 * now. The table of options says which may. */
#include "config/loader.h"
#include "config/values.h"

#define VALUE_TEXT_SIZE 300

static void write_value(const option *o, const config *values, char text[VALUE_TEXT_SIZE])
{
    FILE *out = fmemopen(text, VALUE_TEXT_SIZE, "w");
    text[0] = '\0';
    if (out) {
        value_format(o, values, out);
        fclose(out);
    }
}

static void compare(const option *o, const config *fresh, const char *where, config *loaded,
                    config *running, void (*tell)(void *, const config_change *), void *context)
{
    char from[VALUE_TEXT_SIZE], to[VALUE_TEXT_SIZE];
    if (value_equal(o, loaded, fresh))
        return;
    write_value(o, loaded, from);
    write_value(o, fresh, to);
    bool applied = o->change == AT_RELOAD;
    if (applied) {
        value_copy(o, fresh, loaded);
        value_copy(o, fresh, running);
    }
    tell(context, &(config_change){o->name, from, to, where, applied});
}

bool config_reload(int argc, char **argv, char **environment, config *loaded, config *running,
                   void (*tell)(void *context, const config_change *change), void *context,
                   char *message, size_t message_size)
{
    config fresh;
    config_sources *sources;
    config_action action;
    if (!config_load(argc, argv, environment, &fresh, &sources, &action, message, message_size))
        return false;
    for (size_t i = 0; i < OPTION_TOTAL; i++) {
        const option *o = &config_options[i];
        compare(o, &fresh, sources->of[i].where, loaded, running, tell, context);
    }
    config_free(&fresh, sources);
    return true;
}
