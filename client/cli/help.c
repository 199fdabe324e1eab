/* The texts of --help. What lives here is words; docs/client.md says the same at more length. */
#include "cli/options.h"

#include <stdio.h>

static const char usage[] =
    "gradient: gradients of neural-network layers, from gradientd or in-process\n"
    "\n"
    "  gradient compute FILE|-   POST a document to /v1/gradients, print the answer\n"
    "  gradient health           is the service ready?\n"
    "  gradient info             what the service is and what its limits are\n"
    "  gradient help COMMAND     more about one command\n"
    "\n";

static const char shared[] =
    "  --url URL          of the service; else GRADIENT_URL, else http://127.0.0.1:8080\n"
    "  --timeout SECONDS  for the whole command, retries and waits included\n"
    "  --retries N        tries after the first one failed by overload or connection\n"
    "  --json             answers as they came, errors as JSON on standard error\n"
    "  --quiet, -q        nothing on standard error\n"
    "  --help, -h         this text\n"
    "  --version\n"
    "\n"
    "Data goes to standard output, messages to standard error. NO_COLOR is respected.\n"
    "\n"
    "Exit codes: 0 ok, 2 usage, 3 bad input, 4 unreachable, 5 busy, 6 timeout,\n"
    "7 refused (401, 403), 8 the answer isn't right, 9 internal or output can't be written\n";

static const char compute[] =
    "gradient compute [--local] FILE|-\n"
    "\n"
    "Sends the document (docs/api.md) to the service as it is and prints the answer's document.\n"
    "A gradient is a pure function of the request, so the request is safely repeated on overload\n"
    "and broken connections: 4 times (--retries) within 120 seconds (--timeout).\n"
    "\n"
    "  --local            compute in this process, without a service: the same bytes out\n";

static const char health[] =
    "gradient health\n"
    "\n"
    "Asks /readyz. Prints \"ready\" and exits with 0 where the service accepts requests, else "
    "with\n"
    "the reason and its code (5: draining). One try (--retries 0) within 5 seconds (--timeout).\n"
    "\n";

static const char info[] =
    "gradient info\n"
    "\n"
    "Asks /v1/info: version, limits, activations, encodings, workers. One name and value a line;\n"
    "with --json the document itself.\n"
    "\n";

void options_print_help(command topic)
{
    switch (topic) {
    case COMMAND_COMPUTE:
        fputs(compute, stdout);
        break;
    case COMMAND_HEALTH:
        fputs(health, stdout);
        break;
    case COMMAND_INFO:
        fputs(info, stdout);
        break;
    default:
        fputs(usage, stdout);
        break;
    }
    fputs(shared, stdout);
}
