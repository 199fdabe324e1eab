/* `gradientd --describe`: the tables of the documentation, printed from those the code uses. */
#ifndef GRADIENTD_DESCRIBE_H
#define GRADIENTD_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Prints one topic's tables in Markdown, or (topic NULL) those of all, each below its name. False,
 * and nothing printed, where there is no such topic. */
bool describe(const char *topic, FILE *out);

/* The topics, with commas between. */
void describe_topics(char *text, size_t size);

#endif
