/* The table of options, and what people read of it: --help, the documentation's table,
 * --check-config. To add an option: a row here, a field in config.h, and `make docs`. */
#include "config/options.h"

#include "config/address.h"
#include "gradient_wire.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define KI 1024.0
#define MI (KI * KI)
#define GI (KI * MI)
#define TI (KI * GI)
#define MS 0.001
#define HOUR 3600.0
#define AT(field) offsetof(config, field)

/* A default that is the library's too, as text. */
#define TEXT_OF(number) DIGITS_OF(number)
#define DIGITS_OF(digits) #digits

/* name, kind, offset, when it changes, default, least, most, choices, what 0 stands for, help */
const option config_options[] = {
    {"listen", OPTION_ADDRESS, AT(listen), AT_RESTART, "127.0.0.1:8080", 0, 0, "", NULL,
     "address of the service; port 0 takes a free one"},
    {"admin-listen", OPTION_ADDRESS, AT(admin_listen), AT_RESTART, "127.0.0.1:8081", 0, 0, "none",
     NULL, "address of health checks and metrics, which never wait behind work"},
    {"unix-mode", OPTION_MODE, AT(unix_mode), AT_RESTART, "0660", 0, 0777, "", NULL,
     "of unix: sockets: who may write to one may connect"},
    {"unix-owner", OPTION_OWNER, AT(unix_owner), AT_RESTART, "none", 0, 0, "none", NULL,
     "of unix: sockets; none: the daemon's user and group"},
    {"drain-delay", OPTION_TIME, AT(drain_delay), AT_RELOAD, "0s", 0, HOUR, "", NULL,
     "from SIGTERM, which ends readiness, to the closing of the listener"},
    {"tls-certificate", OPTION_PATH, AT(tls_certificate), AT_RESTART, "none", 0, 0, "none", NULL,
     "PEM: the certificate by which the service speaks TLS, and its chain"},
    {"tls-key", OPTION_PATH, AT(tls_key), AT_RESTART, "none", 0, 0, "none", NULL,
     "PEM: the certificate's private key, which others may not read"},
    {"tls-client-ca", OPTION_PATH, AT(tls_client_ca), AT_RESTART, "none", 0, 0, "none", NULL,
     "PEM: authorities; clients need a certificate of theirs (mutual TLS)"},
    {"tls-client-crl", OPTION_PATH, AT(tls_client_crl), AT_RESTART, "none", 0, 0, "none", NULL,
     "PEM: clients' certificates that these authorities have revoked"},
    {"tls-client-names", OPTION_PATH, AT(tls_client_names), AT_RESTART, "none", 0, 0, "none", NULL,
     "names of clients, one a line; others are refused"},
    {"allow-origin", OPTION_ORIGINS, AT(allow_origin), AT_RESTART, "none", 0, 0, "none", NULL,
     "origins whose pages may call the service from a browser (CORS)"},
    {"allow-host", OPTION_HOSTS, AT(allow_host), AT_RESTART, HOSTS_AUTO, 0, 0, "", NULL,
     "hosts that requests may name; auto: any, but on the loopback its own"},
    {"insecure", OPTION_SWITCH, AT(insecure), AT_RESTART, "off", 0, 0, "", NULL,
     "others may reach the service though nothing asks who they are"},
    {"token-file", OPTION_PATH, AT(token_file), AT_RESTART, "none", 0, 0, "none", NULL,
     "tokens that may come in, read again at a reload; none: everyone may"},
    {"event-loops", OPTION_NUMBER, AT(event_loops), AT_RESTART, "0", 0, 256, "",
     "one a CPU, at most 4", "threads that own sockets"},
    {"workers", OPTION_NUMBER, AT(workers), AT_RESTART, "0", 0, 1024, "",
     "one a CPU, by affinity and quota", "threads that compute"},
    {"queue-depth", OPTION_NUMBER, AT(queue_depth), AT_RESTART, "4096", 1, 65536, "", NULL,
     "requests that may wait for their turn; one more is answered 503"},
    {"max-connections", OPTION_NUMBER, AT(max_connections), AT_RESTART, "4096", 1, MI, "", NULL,
     "open connections; one more is answered 503"},
    {"max-peer-connections", OPTION_NUMBER, AT(max_peer_connections), AT_RESTART, "0", 0, MI, "",
     "three times what is free", "open connections of one address, or one /64 of IPv6"},
    {"max-body", OPTION_SIZE, AT(max_body), AT_RELOAD, "256MiB", KI, 64 * GI, "", NULL,
     "body of one request, decoded; a larger one is answered 413"},
    {"memory-budget", OPTION_SIZE, AT(memory_budget), AT_RESTART, "0", 0, 16 * TI, "",
     "half of the machine's or the cgroup's", "memory all requests together may hold"},
    {"max-layers", OPTION_NUMBER, AT(max_layers), AT_RELOAD, TEXT_OF(GRAD_DEFAULT_MAX_LAYERS), 1,
     MI, "", NULL, "layers of one request"},
    {"max-numbers", OPTION_NUMBER, AT(max_numbers), AT_RELOAD, TEXT_OF(GRAD_DEFAULT_MAX_NUMBERS), 1,
     16 * GI, "", NULL, "numbers in the tensors of one request"},
    {"max-result-numbers", OPTION_NUMBER, AT(max_result_numbers), AT_RELOAD,
     TEXT_OF(GRAD_DEFAULT_MAX_RESULT_NUMBERS), 1, 16 * GI, "", NULL,
     "numbers in the results of one request"},
    {"max-check-flops", OPTION_NUMBER, AT(max_check_flops), AT_RELOAD,
     TEXT_OF(GRAD_DEFAULT_MAX_CHECK_FLOPS), 1, TI, "", NULL,
     "operations that a check may take; a larger one is answered 413"},
    {"max-envelope", OPTION_SIZE, AT(max_envelope), AT_RELOAD, TEXT_OF(GRAD_DEFAULT_MAX_ENVELOPE),
     KI, 256 * MI, "", NULL, "body of one request without its arrays of numbers"},
    {"compression", OPTION_SWITCH, AT(compression), AT_RELOAD, "on", 0, 0, "", NULL,
     "of replies, where the client accepts it: zstd, gzip, deflate"},
    {"header-timeout", OPTION_TIME, AT(header_timeout), AT_RELOAD, "10s", MS, HOUR, "", NULL,
     "for the headers of a request to arrive"},
    {"idle-timeout", OPTION_TIME, AT(idle_timeout), AT_RELOAD, "75s", MS, 24 * HOUR, "", NULL,
     "between two requests of a connection"},
    {"body-timeout", OPTION_TIME, AT(body_timeout), AT_RELOAD, "10s", MS, HOUR, "", NULL,
     "for the next bytes of a body to arrive, and the slack of min-body-rate"},
    {"min-body-rate", OPTION_RATE, AT(min_body_rate), AT_RELOAD, "10k", 1, GI, "", NULL,
     "over a whole body, once body-timeout has passed"},
    {"reply-timeout", OPTION_TIME, AT(reply_timeout), AT_RELOAD, "30s", MS, HOUR, "", NULL,
     "for a client to take bytes of its reply, and the slack of min-reply-rate"},
    {"min-reply-rate", OPTION_RATE, AT(min_reply_rate), AT_RELOAD, "10k", 1, GI, "", NULL,
     "over a whole reply, once reply-timeout has passed"},
    {"linger-timeout", OPTION_TIME, AT(linger_timeout), AT_RELOAD, "30s", 0, HOUR, "", NULL,
     "to discard what still comes after a request was refused early"},
    {"linger-size", OPTION_SIZE, AT(linger_size), AT_RELOAD, "256MiB", 0, 64 * GI, "", NULL,
     "discarded after a request was refused early, at most"},
    {"request-timeout", OPTION_TIME, AT(request_timeout), AT_RELOAD, "60s", MS, 24 * HOUR, "", NULL,
     "from the last byte of a body to the first of its reply; later it is 504"},
    {"check-timeout", OPTION_TIME, AT(check_timeout), AT_RELOAD, "20s", MS, 24 * HOUR, "", NULL,
     "the same of a check, where it is shorter than request-timeout"},
    {"queue-timeout", OPTION_TIME, AT(queue_timeout), AT_RELOAD, "10s", MS, 24 * HOUR, "", NULL,
     "for a request to get its turn, and then a worker; later it is 503"},
    {"half-close-timeout", OPTION_TIME, AT(half_close_timeout), AT_RELOAD, "25ms", 0, 24 * HOUR, "",
     NULL, "for work to go on whose client has ended its side of the connection"},
    {"max-wait", OPTION_TIME, AT(max_wait), AT_RELOAD, "500ms", MS, HOUR, "", NULL,
     "expected until a request's turn comes; where it is longer it is 503 at once"},
    {"drain-timeout", OPTION_TIME, AT(drain_timeout), AT_RELOAD, "30s", 0, 24 * HOUR, "", NULL,
     "from the closing of the listener to the exit, at most"},
    {"inline-cost", OPTION_TIME, AT(inline_cost), AT_RELOAD, "0.5ms", 0, 1, "", NULL,
     "work expected to take less is done by the event loop, without a worker"},
    {"log-level", OPTION_CHOICE, AT(log_level), AT_RELOAD, "info", 0, 0, "debug info warning error",
     NULL, "least level of the lines on standard error"},
    {"log-format", OPTION_CHOICE, AT(log_format), AT_RELOAD, "auto", 0, 0, "auto text json", NULL,
     "of the log; auto is text on a terminal, json elsewhere"},
    {"log-requests", OPTION_SWITCH, AT(log_requests), AT_RELOAD, "on", 0, 0, "", NULL,
     "one line a request, at level info"},
    {"slow-request", OPTION_TIME, AT(slow_request), AT_RELOAD, "5s", 0, HOUR, "", NULL,
     "a request that takes longer gets a warning with its shapes; 0: none does"},
    {"sandbox", OPTION_CHOICE, AT(sandbox), AT_RESTART, "auto", 0, 0, "auto on off", NULL,
     "gives up what serving does not need; on: or does not start"},
    {"core-dumps", OPTION_SWITCH, AT(core_dumps), AT_RESTART, "off", 0, 0, "", NULL,
     "lets a crash write memory to a file, and a debugger of the same user attach"},
};
const size_t option_total = sizeof config_options / sizeof *config_options;
_Static_assert(sizeof config_options / sizeof *config_options <= OPTION_MOST, "OPTION_MOST");

const option_command config_commands[OPTION_COMMAND_COUNT] = {
    {"config", NULL, "FILE", CONFIG_RUN, "file of `key = value` lines; also GRADIENTD_CONFIG"},
    {"check-config", NULL, NULL, CONFIG_CHECK, "print the effective values and their sources"},
    {"describe", NULL, "[TOPIC]", CONFIG_DESCRIBE,
     "print tables in Markdown of all it knows: layers, losses, limits, metrics, …"},
    {"help", "-h", NULL, CONFIG_HELP, "print this help"},
    {"version", "-V", NULL, CONFIG_VERSION, "print the version"},
};

const option *option_find(const char *name)
{
    for (size_t i = 0; i < option_total; i++)
        if (strcmp(config_options[i].name, name) == 0)
            return &config_options[i];
    return NULL;
}

bool option_is_text(const option *o)
{
    return o->kind == OPTION_ADDRESS || o->kind == OPTION_ORIGINS || o->kind == OPTION_PATH ||
           o->kind == OPTION_HOSTS || o->kind == OPTION_OWNER;
}

void option_variable(const char *name, char variable[OPTION_NAME_SIZE])
{
    snprintf(variable, OPTION_NAME_SIZE, OPTION_VARIABLE_PREFIX "%s", name);
    for (char *c = variable; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

/* ---- What people read ------------------------------------------------------------------------ */

static const char *const arguments[] = {
    [OPTION_HOSTS] = "HOSTS",   [OPTION_ADDRESS] = "HOST:PORT", [OPTION_ORIGINS] = "ORIGINS",
    [OPTION_PATH] = "FILE",     [OPTION_MODE] = "MODE",         [OPTION_OWNER] = "USER:GROUP",
    [OPTION_NUMBER] = "NUMBER", [OPTION_SIZE] = "SIZE",         [OPTION_RATE] = "RATE",
    [OPTION_TIME] = "TIME",     [OPTION_CHOICE] = "WORD",       [OPTION_SWITCH] = "on|off",
};

static void print_option(const option *o, FILE *out)
{
    char range[VALUE_RANGE_SIZE], initial[VALUE_INITIAL_SIZE];

    value_range(o, range);
    value_initial(o, initial);
    fprintf(out, "  --%s %s\n        %s", o->name, arguments[o->kind], o->help);
    if (o->kind == OPTION_CHOICE)
        fprintf(out, ": %s", range);
    if (o->automation != NULL)
        fprintf(out, "; 0: %s", o->automation);
    fprintf(out, " (default %s)\n", initial);
}

static void print_command(const option_command *c, FILE *out)
{
    fprintf(out, "  %s%s--%s%s%s\n        %s\n", c->shorthand != NULL ? c->shorthand : "",
            c->shorthand != NULL ? ", " : "", c->name, c->argument != NULL ? " " : "",
            c->argument != NULL ? c->argument : "", c->help);
}

void config_print_help(FILE *out)
{
    fputs(
        "Usage: gradientd [OPTION]...\n"
        "       gradientd check [OPTION]...\n"
        "       gradientd healthcheck [OPTION]...\n"
        "       gradientd token NAME [--rate N/TIME] [--bytes SIZE/TIME] [--concurrent N]\n"
        "                            [--expires DATE]\n"
        "Computes the backward pass of neural-network layers over HTTP.\n"
        "check says, without starting it, whether the daemon would work here with these options,\n"
        "and exits with 0 if it would.\n"
        "healthcheck asks the daemon that runs with the same options whether it lives (/livez),\n"
        "and exits with 0 if it does. token makes a token, and prints it and its line for\n"
        "--token-file.\n\n"
        "An option is also a variable (--max-body: GRADIENTD_MAX_BODY) and a key of the file\n"
        "(max-body = 64MiB). A flag overrules a variable, a variable the file.\n"
        "SIZE takes k M G (powers of 1000) and KiB MiB GiB, NUMBER k M G and Ki Mi Gi, RATE is\n"
        "a SIZE a second, TIME takes ms s m, seconds if it has no unit.\n\n",
        out);
    for (size_t i = 0; i < option_total; i++)
        print_option(&config_options[i], out);
    fputc('\n', out);
    for (size_t i = 0; i < OPTION_COMMAND_COUNT; i++)
        print_command(&config_commands[i], out);
}

void config_print_table(FILE *out)
{
    fputs("| flag and key | variable | default | values | changes at | meaning |\n"
          "|---|---|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < option_total; i++) {
        const option *o = &config_options[i];
        char variable[OPTION_NAME_SIZE], range[VALUE_RANGE_SIZE], initial[VALUE_INITIAL_SIZE];
        option_variable(o->name, variable);
        value_range(o, range);
        value_initial(o, initial);
        fprintf(out, "| `--%s` | `%s` | %s | %s | %s | %s%s%s |\n", o->name, variable, initial,
                range, o->change == AT_RELOAD ? "reload" : "restart", o->help,
                o->automation != NULL ? "; 0: " : "", o->automation != NULL ? o->automation : "");
    }
}

void config_print_effective(const config *values, const config_sources *sources, FILE *out)
{
    config resolved = *values;

    config_resolve(&resolved);
    for (size_t i = 0; i < option_total; i++) {
        const option *o = &config_options[i];
        fprintf(out, "%s = ", o->name);
        value_format(o, &resolved, out);
        fprintf(out, "   # %s", config_source_of(sources, i));
        if (value_is_automatic(o, values))
            fprintf(out, " (0: %s)", o->automation);
        fputc('\n', out);
    }
}
