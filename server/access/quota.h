/* Quotas: how much the bearer of a token may ask for, and how much of it is left. An account is one
 * bearer's; it outlives the reading of a new token file, so that nobody gets more by that. */
#ifndef GRADIENTD_QUOTA_H
#define GRADIENTD_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much in so many seconds, all at once where it was unused so long, and refilled evenly. amount
 * 0: no limit. */
typedef struct quota_limit {
    uint64_t amount;
    uint64_t window; /* seconds */
} quota_limit;

typedef struct quotas {
    quota_limit rate;    /* requests */
    quota_limit bytes;   /* of bodies received */
    uint64_t concurrent; /* requests between their headers and the end of their response; 0: any */
} quotas;

/* One quota as the RateLimit fields say it (draft-ietf-httpapi-ratelimit-headers-11). */
typedef struct quota_view {
    const char *name; /* of the policy: "rate" */
    const char *unit; /* NULL: requests */
    uint64_t amount;
    uint64_t window;    /* 0: it has none */
    uint64_t remaining; /* of amount */
    uint64_t reset;     /* seconds until it is whole, or, where nothing is left, until something is;
                           0: not said */
} quota_view;

#define QUOTA_KINDS 3
#define QUOTA_POLICIES_SIZE 200

/* What there is after a request was asked for. */
typedef struct quota_report {
    quota_view views[QUOTA_KINDS];
    size_t count;                       /* 0: no quota applies */
    char policies[QUOTA_POLICIES_SIZE]; /* the RateLimit-Policy field of them all */
    const quota_view *broken;           /* the quota that the request would exceed, or NULL; of
                                           several the one that takes longest to have some left */
    uint64_t retry_after;               /* seconds, where one is broken */
} quota_report;

typedef struct account account;

/* An account with that name, held once; NULL: no memory. */
account *account_create(const char *name, const quotas *limits);

/* Other limits, from now on (clock_now); what was used stays used. Thread-safe, as everything
 * below. */
void account_limit(account *a, const quotas *limits, int64_t now);

/* Holds it once more; each hold ends with account_release, the last one frees it. */
account *account_hold(account *a);
void account_release(account *a);

/* Belongs to the account. */
const char *account_name(const account *a);

/* Takes a request with a body of that length (0: not known yet) from the quotas, at that time of
 * clock_now. False: one of them is exhausted, and the request does not count. A body longer than
 * what is left of the bytes is let in while any are left, and paid for afterwards, so that no body
 * is too large for ever. */
bool account_enter(account *a, uint64_t length, int64_t now, quota_report *report);

/* The end of a request that was let in; length: of its body where it was not known before. */
void account_leave(account *a, uint64_t length, int64_t now);

#endif
