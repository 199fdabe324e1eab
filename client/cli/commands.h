/* The commands. Each does its work, says what went wrong, and returns the exit code. */
#ifndef GRADIENT_CLI_COMMANDS_H
#define GRADIENT_CLI_COMMANDS_H

#include "cli/options.h"
#include "gradient_client.h"

/* compute, backprop and check: by the service, or in this process. */
int command_compute(const options *o);
int command_compute_local(const options *o);

/* Prints the report of a check, as a table or (--json) as the document that it is. Returns the exit
 * code, which says the verdict. */
int command_print_check(const options *o, const grad_text *document,
                        const grad_check_report *report);

int command_health(const options *o);
int command_info(const options *o);

/* A client as the options want it; attempts and timeout are used where they name none.
 * Returns the exit code. */
int command_open_client(const options *o, unsigned attempts, double timeout,
                        gradient_client **client);

/* Reads o->file piece by piece; take returning false ends the reading, and whoever took it knows
 * why. Returns the exit code of the reading itself. */
int command_read_document(const options *o,
                          bool (*take)(void *context, const char *bytes, size_t length),
                          void *context);

#endif
