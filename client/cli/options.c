/* The arguments: which words there are, what they may hold, and what --help says of them. To add an
 * option: its word here with its text in the help, and its field in cli.h. */
#include "cli/cli.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_URL "http://127.0.0.1:8080"
#define MAX_RETRIES 1000
#define MAX_TIMEOUT 1e6
#define COMMANDS "compute, backprop, check, health, info, bench"
#define MAX_CONNECTIONS 4096
#define MAX_RATE 1e6
#define MAX_SIDE 1000000UL

enum {
    WORD_URL = 1,
    WORD_CA_FILE,
    WORD_CERTIFICATE,
    WORD_KEY,
    WORD_HEADER,
    WORD_TOKEN,
    WORD_TOKEN_FILE,
    WORD_TIMEOUT,
    WORD_RETRIES,
    WORD_LOCAL,
    WORD_DATATYPE,
    WORD_LAYER,
    WORD_CONNECTIONS,
    WORD_RATE,
    WORD_SECONDS,
    WORD_HDR,
    WORD_JSON,
    WORD_QUIET,
    WORD_HELP,
    WORD_VERSION
};

static const struct option words[] = {{"url", required_argument, NULL, WORD_URL},
                                      {"ca-file", required_argument, NULL, WORD_CA_FILE},
                                      {"certificate", required_argument, NULL, WORD_CERTIFICATE},
                                      {"key", required_argument, NULL, WORD_KEY},
                                      {"header", required_argument, NULL, WORD_HEADER},
                                      {"token", required_argument, NULL, WORD_TOKEN},
                                      {"token-file", required_argument, NULL, WORD_TOKEN_FILE},
                                      {"timeout", required_argument, NULL, WORD_TIMEOUT},
                                      {"retries", required_argument, NULL, WORD_RETRIES},
                                      {"local", no_argument, NULL, WORD_LOCAL},
                                      {"datatype", required_argument, NULL, WORD_DATATYPE},
                                      {"layer", required_argument, NULL, WORD_LAYER},
                                      {"connections", required_argument, NULL, WORD_CONNECTIONS},
                                      {"rate", required_argument, NULL, WORD_RATE},
                                      {"seconds", required_argument, NULL, WORD_SECONDS},
                                      {"hdr", no_argument, NULL, WORD_HDR},
                                      {"json", no_argument, NULL, WORD_JSON},
                                      {"quiet", no_argument, NULL, WORD_QUIET},
                                      {"help", no_argument, NULL, WORD_HELP},
                                      {"version", no_argument, NULL, WORD_VERSION},
                                      {NULL, 0, NULL, 0}};

/* How errors are to be spelled must be known before there is one. */
static void read_manner(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        o->json |= strcmp(argv[i], "--json") == 0;
        o->quiet |= strcmp(argv[i], "--quiet") == 0 || strcmp(argv[i], "-q") == 0;
    }
}

/* A number above 0 of that unit, for people's eyes. */
static bool read_positive(const char *text, const char *name, const char *unit, double most,
                          double *to, char *message, size_t size)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value > 0 && value <= most)) {
        snprintf(message, size, "%s is a number of %s above 0, at most %g, not \"%s\"", name, unit,
                 most, text);
        return false;
    }
    *to = value;
    return true;
}

/* A whole number from least to most, of at most nine digits. */
static bool read_count(const char *text, const char *name, unsigned long least, unsigned long most,
                       unsigned *to, char *message, size_t size)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits < 10 ? strtoul(text, NULL, 10) : most + 1;

    if (text[digits] != '\0' || value < least || value > most) {
        snprintf(message, size, "%s is a whole number from %lu to %lu, not \"%s\"", name, least,
                 most, text);
        return false;
    }
    *to = (unsigned)value;
    return true;
}

static bool read_retries(const char *text, options *o, char *message, size_t size)
{
    if (!read_count(text, "--retries", 0, MAX_RETRIES, &o->attempts, message, size))
        return false;
    o->attempts++;
    return true;
}

/* ---- Layers: BxKxN[:ENCODING[:ANSWER]][*WEIGHT] ---------------------------------------------- */

const char *options_encoding_name(grad_encoding encoding)
{
    static const char *const names[GRAD_ENCODING_COUNT] = {[GRAD_ENCODING_JSON] = "json",
                                                           [GRAD_ENCODING_BASE64] = "base64",
                                                           [GRAD_ENCODING_BINARY] = "binary"};

    return names[encoding];
}

/* Those that the client writes and reads. */
enum { ENCODINGS = GRAD_ENCODING_BINARY + 1 };

/* A number from 1 on, and the character behind it. */
static bool read_side(const char **text, char behind, size_t *number)
{
    size_t digits = strspn(*text, "0123456789");

    if (digits == 0 || digits > 7 || (*text)[digits] != behind)
        return false;
    *number = strtoul(*text, NULL, 10);
    *text += digits + (behind != '\0');
    return *number > 0 && *number <= MAX_SIDE;
}

/* A name, and the character behind it. */
static bool read_encoding(const char **text, char *behind, grad_encoding *encoding)
{
    size_t length = strcspn(*text, ":*");

    for (int i = 0; i < ENCODINGS; i++) {
        const char *name = options_encoding_name((grad_encoding)i);
        if (strlen(name) == length && strncmp(*text, name, length) == 0) {
            *encoding = (grad_encoding)i;
            *behind = (*text)[length];
            *text += length + (*behind != '\0');
            return true;
        }
    }
    return false;
}

static bool parse_layer(const char *text, bench_layer *layer)
{
    char behind = text[strcspn(text, ":*")];
    size_t weight = 1;

    if (!read_side(&text, 'x', &layer->B) || !read_side(&text, 'x', &layer->K) ||
        !read_side(&text, behind, &layer->N))
        return false;
    if (behind == ':') {
        if (!read_encoding(&text, &behind, &layer->request))
            return false;
        layer->answer = layer->request;
        if (behind == ':' && !read_encoding(&text, &behind, &layer->answer))
            return false;
    }
    if (behind == ':' || (behind == '*' && !read_side(&text, '\0', &weight)))
        return false;
    layer->weight = (unsigned)weight;
    return true;
}

static bool read_layer(const char *text, options *o, char *message, size_t size)
{
    size_t count = 0;

    while (o->layers[count].B > 0)
        count++;
    if (count == OPTIONS_MAX_LAYERS) {
        snprintf(message, size, "--layer is taken at most %d times", OPTIONS_MAX_LAYERS);
        return false;
    }
    if (!parse_layer(text, &o->layers[count])) {
        snprintf(message, size,
                 "--layer is BxKxN[:ENCODING[:ANSWER]][*WEIGHT], of whole numbers from 1 to %lu "
                 "and json, base64 or binary, not \"%s\"",
                 MAX_SIDE, text);
        return false;
    }
    return true;
}

static bool read_datatype(const char *text, options *o, char *message, size_t size)
{
    if (strcmp(text, "FP32") != 0 && strcmp(text, "FP64") != 0) {
        snprintf(message, size, "--datatype is FP32 or FP64, not \"%s\"", text);
        return false;
    }
    o->datatype = strcmp(text, "FP64") == 0 ? GRAD_FP64 : GRAD_FP32;
    o->has_datatype = true;
    return true;
}

/* Flags are seen by everybody on the machine, and kept in histories. */
static bool read_header(const char *text, options *o, char *message, size_t size)
{
    static const char *const secrets[] = {"Authorization:", "Proxy-Authorization:", "Cookie:"};
    size_t count = 0;

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        if (strncasecmp(text, secrets[i], strlen(secrets[i])) == 0) {
            snprintf(message, size, "--header shows \"%s\" to everybody here; use --token-file",
                     secrets[i]);
            return false;
        }
    }
    while (count < OPTIONS_MAX_HEADERS && o->headers[count] != NULL)
        count++;
    if (count == OPTIONS_MAX_HEADERS) {
        snprintf(message, size, "--header is taken at most %d times", OPTIONS_MAX_HEADERS);
        return false;
    }
    o->headers[count] = text;
    return true;
}

/* The first takes the place of the environment's, the others are its replicas. */
static bool read_url(const char *text, options *o, char *message, size_t size)
{
    size_t count = 0;

    if (!o->has_url) {
        o->has_url = true;
        o->url = text;
        return true;
    }
    while (count < OPTIONS_MAX_REPLICAS && o->replicas[count] != NULL)
        count++;
    if (count == OPTIONS_MAX_REPLICAS) {
        snprintf(message, size, "--url is taken at most %d times", OPTIONS_MAX_REPLICAS + 1);
        return false;
    }
    o->replicas[count] = text;
    return true;
}

static bool read_path(int word, options *o)
{
    const struct {
        int word;
        const char **path;
    } rows[] = {{WORD_TOKEN_FILE, &o->token_file},
                {WORD_CA_FILE, &o->ca_file},
                {WORD_CERTIFICATE, &o->certificate},
                {WORD_KEY, &o->key}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].word == word) {
            *rows[i].path = optarg;
            return true;
        }
    }
    return false;
}

/* The words of bench, and those that hold paths. */
static bool read_other_word(int word, options *o, char *message, size_t size)
{
    if (word == WORD_LAYER)
        return read_layer(optarg, o, message, size);
    if (word == WORD_CONNECTIONS)
        return read_count(optarg, "--connections", 1, MAX_CONNECTIONS, &o->connections, message,
                          size);
    if (word == WORD_RATE)
        return read_positive(optarg, "--rate", "requests a second", MAX_RATE, &o->rate, message,
                             size);
    if (word == WORD_SECONDS)
        return read_positive(optarg, "--seconds", "seconds", MAX_TIMEOUT, &o->seconds, message,
                             size);
    if (word == WORD_HDR)
        return o->hdr = true;
    return read_path(word, o);
}

static bool read_word(int word, options *o, bool *help, char *message, size_t size)
{
    switch (word) {
    case WORD_URL:
        return read_url(optarg, o, message, size);
    case WORD_HEADER:
        return read_header(optarg, o, message, size);
    case WORD_TOKEN:
        snprintf(message, size,
                 "--token would show it to everybody on this machine; use "
                 "--token-file, GRADIENT_TOKEN or GRADIENT_TOKEN_FILE");
        return false;
    case WORD_TIMEOUT:
        return read_positive(optarg, "--timeout", "seconds", MAX_TIMEOUT, &o->timeout, message,
                             size);
    case WORD_RETRIES:
        return read_retries(optarg, o, message, size);
    case WORD_LOCAL:
        o->local = true;
        return true;
    case WORD_DATATYPE:
        return read_datatype(optarg, o, message, size);
    case WORD_JSON:
        o->json = true;
        return true;
    case WORD_QUIET:
    case 'q':
        o->quiet = true;
        return true;
    case WORD_HELP:
    case 'h':
        *help = true;
        return true;
    case WORD_VERSION:
        o->command = COMMAND_VERSION;
        return true;
    default:
        return read_other_word(word, o, message, size);
    }
}

static const char *const command_names[] = {
    [COMMAND_NONE] = "",       [COMMAND_COMPUTE] = "compute", [COMMAND_BACKPROP] = "backprop",
    [COMMAND_CHECK] = "check", [COMMAND_HEALTH] = "health",   [COMMAND_INFO] = "info",
    [COMMAND_BENCH] = "bench", [COMMAND_HELP] = "help",       [COMMAND_VERSION] = "",
};

const char *options_command_name(command which)
{
    return command_names[which];
}

static command find_command(const char *name)
{
    for (size_t i = 0; i < sizeof command_names / sizeof *command_names; i++)
        if (name[0] != '\0' && strcmp(name, command_names[i]) == 0)
            return (command)i;
    return COMMAND_NONE;
}

static bool takes_document(command which)
{
    return which == COMMAND_COMPUTE || which == COMMAND_BACKPROP || which == COMMAND_CHECK;
}

/* The words that are no options: the command and what it takes. */
static bool read_operands(int count, char **operands, options *o, char *message, size_t size)
{
    int most = 1;

    if (count == 0) {
        snprintf(message, size, "a command is missing: " COMMANDS " or help");
        return false;
    }
    o->command = find_command(operands[0]);
    if (o->command == COMMAND_NONE) {
        snprintf(message, size, "there is no command \"%s\"; there are " COMMANDS ", help",
                 operands[0]);
        return false;
    }
    if (takes_document(o->command)) {
        o->file = count > 1 ? operands[1] : NULL;
        most = 2;
    } else if (o->command == COMMAND_BENCH) {
        if (count > 1)
            o->url = operands[1];
        most = 2;
    } else if (o->command == COMMAND_HELP) {
        o->topic = count > 1 ? find_command(operands[1]) : COMMAND_NONE;
        most = 2;
    }
    if (count > most) {
        snprintf(message, size, "\"%s\" is one word too many", operands[most]);
        return false;
    }
    return true;
}

static bool has_bench_word(const options *o)
{
    return o->layers[0].B > 0 || o->connections > 0 || o->rate > 0 || o->seconds > 0 || o->hdr;
}

/* What each word allows, but not together. */
static bool check(const options *o, char *message, size_t size)
{
    if (takes_document(o->command) && o->file == NULL) {
        snprintf(message, size, "%s takes a file, or - for standard input",
                 options_command_name(o->command));
        return false;
    }
    if ((o->local || o->has_datatype) && !takes_document(o->command)) {
        snprintf(message, size, "%s is an option of compute, backprop and check",
                 o->local ? "--local" : "--datatype");
        return false;
    }
    if (o->command != COMMAND_BENCH && has_bench_word(o)) {
        snprintf(message, size,
                 "--layer, --connections, --rate, --seconds and --hdr are options of bench");
        return false;
    }
    return true;
}

/* What bench does where nothing else is said. */
static void complete_bench(options *o)
{
    if (o->layers[0].B == 0)
        o->layers[0] = (bench_layer){.B = 64, .K = 512, .N = 256, .weight = 1};
    if (o->connections == 0)
        o->connections = BENCH_CONNECTIONS;
    if (o->seconds <= 0)
        o->seconds = BENCH_SECONDS;
    if (o->timeout <= 0)
        o->timeout = BENCH_TIMEOUT;
}

static bool read_words(int argc, char **argv, options *o, bool *help, char *message, size_t size)
{
    int word;

    opterr = 0;
    while ((word = getopt_long(argc, argv, ":hq", words, NULL)) != -1) {
        if (word == ':') {
            snprintf(message, size, "%s needs a value", argv[optind - 1]);
            return false;
        }
        if (word == '?') {
            const char *unknown = argv[optind - 1]; /* its value may be a secret */
            snprintf(message, size, "there is no option %.*s, or it takes no value",
                     (int)strcspn(unknown, "="), unknown);
            return false;
        }
        if (!read_word(word, o, help, message, size))
            return false;
    }
    return true;
}

bool options_read(int argc, char **argv, options *o, char *message, size_t size)
{
    const char *url = getenv("GRADIENT_URL");
    bool help = false;

    *o = (options){.url = url != NULL && url[0] != '\0' ? url : DEFAULT_URL, .arguments = argv};
    read_manner(argc, argv, o);
    if (!read_words(argc, argv, o, &help, message, size))
        return false;
    if (o->command == COMMAND_VERSION)
        return true;
    if (help) {
        o->topic = optind < argc ? find_command(argv[optind]) : COMMAND_NONE;
        o->command = COMMAND_HELP;
        return true;
    }
    if (!read_operands(argc - optind, argv + optind, o, message, size) || !check(o, message, size))
        return false;
    if (o->command == COMMAND_BENCH)
        complete_bench(o);
    return true;
}

/* ---- The token ------------------------------------------------------------------------------- */

/* The first bytes of a file, or of a text. False: errno says why. */
static bool take_token(const char *text, const char *path, char token[OPTIONS_TOKEN_SIZE])
{
    FILE *in = text == NULL ? fopen(path, "r") : NULL;
    bool ok = text != NULL || in != NULL;

    if (text != NULL)
        snprintf(token, OPTIONS_TOKEN_SIZE, "%s", text);
    if (in != NULL) {
        token[fread(token, 1, OPTIONS_TOKEN_SIZE - 1, in)] = '\0';
        ok = !ferror(in);
        fclose(in);
    }
    return ok;
}

static int read_token(const options *o, char token[OPTIONS_TOKEN_SIZE])
{
    const char *text = o->token_file == NULL ? getenv("GRADIENT_TOKEN") : NULL;
    const char *path = o->token_file != NULL ? o->token_file : getenv("GRADIENT_TOKEN_FILE");
    const char *where;
    size_t length;

    token[0] = '\0';
    if (text != NULL && text[0] == '\0')
        text = NULL;
    if (text == NULL && (path == NULL || path[0] == '\0'))
        return EXIT_OK;
    where = text != NULL ? "GRADIENT_TOKEN" : path;
    if (!take_token(text, path, token))
        return report_system_failure(o, EXIT_BAD_INPUT, where);
    length = strcspn(token, "\r\n");
    if (length > 0 && token[length + strspn(token + length, "\r\n")] != '\0')
        return report_failure(o, EXIT_BAD_INPUT,
                              "%s: expected one line with a token, found several", where);
    token[length] = '\0';
    if (token[0] == '\0' || strlen(token) == OPTIONS_TOKEN_SIZE - 1) {
        return report_failure(o, EXIT_BAD_INPUT, "%s: expected a line with a token, found %s",
                              where, token[0] == '\0' ? "none" : "a longer one");
    }
    return EXIT_OK;
}

/* libcurl would call a certificate that isn't there a connection that failed, and try again. */
static int look_at_files(const options *o)
{
    const char *const paths[] = {o->ca_file, o->certificate, o->key};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i] != NULL && access(paths[i], R_OK) != 0)
            return report_system_failure(o, EXIT_BAD_INPUT, paths[i]);
    return EXIT_OK;
}

int options_read_credentials(const options *o, char token[OPTIONS_TOKEN_SIZE],
                             gradient_client_options *to)
{
    int exit_code = read_token(o, token);

    to->token = token[0] != '\0' ? token : NULL;
    to->headers = o->headers;
    to->replicas = o->replicas;
    to->ca_file = o->ca_file;
    to->certificate = o->certificate;
    to->key = o->key;
    return exit_code != EXIT_OK ? exit_code : look_at_files(o);
}

/* ---- Help ------------------------------------------------------------------------------------ */

static const char usage[] =
    "gradient: gradients of neural-network layers, from gradientd or in-process\n"
    "\n"
    "  gradient compute FILE|-   POST a document to /v1/gradients, print the answer\n"
    "  gradient backprop FILE|-  the same with /v1/backprop: a whole network\n"
    "  gradient check FILE|-     are the gradients of a document right? A table, and exit code 1\n"
    "                            where one is wrong\n"
    "  gradient health           is the service ready?\n"
    "  gradient info             what the service is and what its limits are\n"
    "  gradient bench [URL]      how fast is the service, and are its answers right?\n"
    "  gradient help COMMAND     more about one command\n"
    "\n";

static const char shared[] =
    "  --url URL          of the service; else GRADIENT_URL, else http://127.0.0.1:8080\n"
    "                     with a path where a proxy serves it below one; unix:/path of a Unix\n"
    "                     socket; given again: a replica, tried where the one before fails\n"
    "  --ca-file FILE     who may have signed the certificate of an https:// service\n"
    "  --certificate FILE, --key FILE   the client's own, where the service asks for one\n"
    "  --token-file FILE  holds a bearer token; else GRADIENT_TOKEN, else GRADIENT_TOKEN_FILE\n"
    "  --header 'N: V'    one more header of each request; may be repeated\n"
    "  --timeout SECONDS  for the whole command, retries and waits included\n"
    "  --retries N        tries after the first one failed by overload or connection\n"
    "  --json             answers as they came, errors as JSON on standard error\n"
    "  --quiet, -q        nothing on standard error\n"
    "  --help, -h         this text\n"
    "  --version\n"
    "\n"
    "Data goes to standard output, messages to standard error. NO_COLOR is respected.\n"
    "\n"
    "Exit codes: 0 ok, 1 a checked gradient is wrong, 2 usage, 3 bad input, 4 unreachable, 5 "
    "busy,\n"
    "6 timeout, 7 refused (401, 403), 8 the answer isn't right, 9 internal or output can't be\n"
    "written\n";

/* Defaults, as text. */
#define DIGITS_OF(digits) #digits
#define TEXT_OF(number) DIGITS_OF(number)
#define RETRIES TEXT_OF(CALL_RETRIES)
#define COMPUTE_SECONDS TEXT_OF(COMPUTE_TIMEOUT)
#define INFO_SECONDS TEXT_OF(INFO_TIMEOUT)
#define HEALTH_SECONDS TEXT_OF(HEALTH_TIMEOUT)
#define LOAD_CONNECTIONS TEXT_OF(BENCH_CONNECTIONS)
#define LOAD_SECONDS TEXT_OF(BENCH_SECONDS)
#define LOAD_TIMEOUT TEXT_OF(BENCH_TIMEOUT)

static const char document_options[] =
    "  --local            compute in this process, without a service: the same bytes out\n"
    "  --datatype FP64    read the numbers as doubles and compute in them; FP32 is the default\n";

static const char compute[] =
    "gradient compute [--local] [--datatype FP32|FP64] FILE|-\n"
    "\n"
    "Sends the document (docs/api.md) to the service as it is and prints the answer's document.\n"
    "A gradient is a pure function of the request, so the request is safely repeated on overload\n"
    "and broken connections: " RETRIES " times (--retries)\n"
    "within " COMPUTE_SECONDS " seconds (--timeout).\n"
    "\n";

static const char backprop[] =
    "gradient backprop [--local] [--datatype FP32|FP64] FILE|-\n"
    "\n"
    "Forward and backward of a whole network: sends the document (docs/api.md) to /v1/backprop as\n"
    "it is and prints the answer's document. Repeated as compute is.\n"
    "\n";

static const char check_words[] =
    "gradient check [--local] [--datatype FP32|FP64] FILE|-\n"
    "\n"
    "Judges the gradients of a document of compute or backprop in double precision, and your own\n"
    "deltas where its layers have them. Prints a line for each tensor: how far it is off at its\n"
    "worst place, where that is, the order of convergence (2 is right, 1 is wrong) and a verdict;\n"
    "yours are on the line below. A place at a kink (as relu's 0) has an interval: all that lies\n"
    "in it passes. With --json the report itself. Exits with 0 where all are right, with 1 where\n"
    "one is wrong.\n"
    "\n";

static const char health[] =
    "gradient health\n"
    "\n"
    "Asks /readyz. Prints \"ready\" and exits with 0 where the service accepts requests, else "
    "with\n"
    "the reason and its code (5: draining). One try (--retries 0)\n"
    "within " HEALTH_SECONDS " seconds (--timeout).\n"
    "\n";

static const char info[] = "gradient info\n"
                           "\n"
                           "Asks /v1/info: version, limits, activations, losses, encodings, "
                           "workers. One name and value a\n"
                           "line; with --json the document itself. Repeated as compute is,\n"
                           "within " INFO_SECONDS " seconds.\n"
                           "\n";

static const char bench[] =
    "gradient bench [--layer BxKxN[:ENCODING[:ANSWER]][*WEIGHT]]... [--connections N]\n"
    "               [--rate R] [--seconds S] [--json | --hdr] [URL]\n"
    "\n"
    "Sends requests of dense layers (x [B,K], W [N,K]) of random numbers, and holds each answer\n"
    "against the bytes of the right one. Prints how many were answered and how long they took.\n"
    "  --layer 64x512x256 what to send; given again: a mix, by weight (8x64x32*10).\n"
    "                     64x512x256:binary: as bytes behind the document, both ways;\n"
    "                     64x512x256:base64:json: the answer otherwise\n"
    "  --connections N    each sends when it is answered (" LOAD_CONNECTIONS ")\n"
    "  --rate R           sends R requests a second by plan instead, whether or not answers come,\n"
    "                     over N connections at most; times count from the plan, so that an\n"
    "                     answer that comes late makes those behind it late too\n"
    "  --seconds S        for how long it measures (" LOAD_SECONDS
    "), after a second of warming up\n"
    "  --timeout SECONDS  of one request (" LOAD_TIMEOUT ")\n"
    "  --json             the report as a document, times in milliseconds\n"
    "  --hdr              the percentiles of all answers in HdrHistogram's text form\n"
    "\n"
    "What is refused (429, 503) is not repeated; a connection waits as long as it was told.\n"
    "Exits with 8 where an answer was wrong.\n"
    "\n";

void options_print_help(command topic)
{
    static const struct {
        const char *text;
        bool takes_document;
    } topics[] = {
        [COMMAND_COMPUTE] = {compute, true},   [COMMAND_BACKPROP] = {backprop, true},
        [COMMAND_CHECK] = {check_words, true}, [COMMAND_HEALTH] = {health, false},
        [COMMAND_INFO] = {info, false},        [COMMAND_BENCH] = {bench, false},
        [COMMAND_HELP] = {usage, false},       [COMMAND_NONE] = {usage, false},
        [COMMAND_VERSION] = {usage, false},
    };

    fputs(topics[topic].text, stdout);
    if (topics[topic].takes_document)
        fputs(document_options, stdout);
    fputs(shared, stdout);
}
