/* Which coding a client wants its response in: Accept-Encoding (RFC 9110, section 12.5.3). Pure
 * functions over text. */
#ifndef GRADIENTD_ACCEPT_H
#define GRADIENTD_ACCEPT_H

/* The header does not name the coding. */
#define ACCEPT_UNNAMED (-1)

/* How much that header's text wants the coding of that name ("*" too): its weight in thousandths,
 * 0 where it must not be. What is malformed names nothing. text NULL: the header is absent. */
int accept_weight(const char *text, const char *name);

#endif
