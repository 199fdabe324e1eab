/* The functions that GET /v1/info lists: activations and losses, with their formulae. Text only;
 * the document around them is info.c's. */
#ifndef GRADIENTD_INFO_FUNCTIONS_H
#define GRADIENTD_INFO_FUNCTIONS_H

#include "gradient_wire.h"

/* Adds "name":"value". */
void info_add_member(grad_text *text, const char *name, const char *value);

/* Add a member "activations" or "losses", an array of one object a function. */
void info_add_activations(grad_text *text);
void info_add_losses(grad_text *text);

/* ["linear"], of names ended by NULL. */
void info_add_synonyms(grad_text *text, const char *const *synonyms);

#endif
