/* The command line `gradient`: finds the command, reports output that could not be written, and
 * exits with how it went. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static int run(const options *o)
{
    switch (o->command) {
    case COMMAND_COMPUTE:
    case COMMAND_BACKPROP:
    case COMMAND_CHECK:
        return o->local ? command_compute_local(o) : command_compute(o);
    case COMMAND_HEALTH:
        return command_health(o);
    case COMMAND_INFO:
        return command_info(o);
    case COMMAND_BENCH:
        return command_bench(o);
    case COMMAND_VERSION:
        printf("gradient %s\n", GRAD_VERSION);
        return EXIT_OK;
    case COMMAND_HELP:
    case COMMAND_NONE:
        break;
    }
    options_print_help(o->topic);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    char message[GRAD_DETAIL_SIZE];
    options o;
    int exit_code;

    signal(SIGPIPE, SIG_IGN);
    if (!options_read(argc, argv, &o, message, sizeof message))
        return report_failure(&o, EXIT_USAGE, "%s (gradient --help)", message);
    exit_code = run(&o);
    errno = report_write_end();
    if (errno != 0)
        return report_system_failure(&o, EXIT_INTERNAL, "standard output");
    return exit_code;
}
