/* The texts of --help. What lives here is words; docs/client.md says the same at more length. */
#include "cli/options.h"

#include <stdio.h>

static const char usage[] =
    "gradient: gradients of neural-network layers, from gradientd or in-process\n"
    "\n"
    "  gradient compute FILE|-   POST a document to /v1/gradients, print the answer\n"
    "  gradient backprop FILE|-  the same with /v1/backprop: a whole network\n"
    "  gradient check FILE|-     are the gradients of a document right? A table, and exit code 1\n"
    "                            where one is wrong\n"
    "  gradient health           is the service ready?\n"
    "  gradient info             what the service is and what its limits are\n"
    "  gradient help COMMAND     more about one command\n"
    "\n";

static const char shared[] =
    "  --url URL          of the service; else GRADIENT_URL, else http://127.0.0.1:8080\n"
    "                     with a path where a proxy serves it below one\n"
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

static const char document_options[] =
    "  --local            compute in this process, without a service: the same bytes out\n"
    "  --datatype FP64    read the numbers as doubles and compute in them; FP32 is the default\n";

static const char compute[] =
    "gradient compute [--local] [--datatype FP32|FP64] FILE|-\n"
    "\n"
    "Sends the document (docs/api.md) to the service as it is and prints the answer's document.\n"
    "A gradient is a pure function of the request, so the request is safely repeated on overload\n"
    "and broken connections: 4 times (--retries) within 120 seconds (--timeout).\n"
    "\n";

static const char backprop[] =
    "gradient backprop [--local] [--datatype FP32|FP64] FILE|-\n"
    "\n"
    "Forward and backward of a whole network: sends the document (docs/api.md) to /v1/backprop as\n"
    "it is and prints the answer's document. Repeated as compute is.\n"
    "\n";

static const char check[] =
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
    "the reason and its code (5: draining). One try (--retries 0) within 5 seconds (--timeout).\n"
    "\n";

static const char info[] = "gradient info\n"
                           "\n"
                           "Asks /v1/info: version, limits, activations, losses, encodings, "
                           "workers. One name and value a\n"
                           "line; with --json the document itself.\n"
                           "\n";

void options_print_help(command topic)
{
    switch (topic) {
    case COMMAND_COMPUTE:
        fputs(compute, stdout);
        fputs(document_options, stdout);
        break;
    case COMMAND_BACKPROP:
        fputs(backprop, stdout);
        fputs(document_options, stdout);
        break;
    case COMMAND_CHECK:
        fputs(check, stdout);
        fputs(document_options, stdout);
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
