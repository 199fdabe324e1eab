/* The commands. Each does its work, says what went wrong, and returns the exit code. */
#ifndef GRADIENT_CLI_COMMANDS_H
#define GRADIENT_CLI_COMMANDS_H

#include "cli/options.h"
#include "gradient_client.h"

int command_compute(const options *o);
int command_compute_local(const options *o);
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
