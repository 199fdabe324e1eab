/* Connections above the limit: each is told 503, without HTTP being read. */
#ifndef GRADIENTD_REFUSALS_H
#define GRADIENTD_REFUSALS_H

/* Sends the answer; the caller lets the descriptor linger. */
void refusals_answer(int fd);

#endif
