/* How many connections each peer has: an address, of IPv6 a /64. */
#ifndef GRADIENTD_PEERS_H
#define GRADIENTD_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct peers peers;

/* NULL: no memory. */
peers *peers_create(void);

/* No peer may be left. NULL is fine. */
void peers_destroy(peers *p);

/* A connection of that peer (listener_peer_key) was accepted, or closed. False: no memory, and it
 * is not counted. Thread-safe. */
bool peers_enter(peers *p, uint64_t key);
void peers_leave(peers *p, uint64_t key);

/* Its connections now. Thread-safe. */
size_t peers_count(peers *p, uint64_t key);

/* How many one peer may have, of most in all, of which total are open. own is max-peer-connections;
 * 0: three times what is free. So one peer alone gets three quarters, n of them get three parts of
 * 3 n + 1 each, and a newcomer always finds room (dynamic thresholds: Choudhury and Hahne, IEEE/ACM
 * Transactions on Networking 6, 1998). */
size_t peers_share(size_t own, size_t most, size_t total);

#endif
