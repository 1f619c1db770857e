/* SPDX-License-Identifier: MIT
 * How many slots a pool may use, decided by what was asked of it; the rules are in the public
 * header of object pools. All with the lock of the leases held, unless said otherwise.
 *
 * Demand is sampled: slots that are neither idle nor shelved, and waiters. Sixty buckets, each a
 * sixtieth of the window wide, keep the peak of their time; what is older is forgotten bucket by
 * bucket. A decision weighs the largest of them.
 *
 * Rejected: growing as soon as a peak is seen. A pool whose holders come back within microseconds
 * would build an object for every short collision; waiting for contention_ns first leaves that to
 * the threads that really had to wait. */
#ifndef LIDO_SRC_LEASE_SIZING_H
#define LIDO_SRC_LEASE_SIZING_H

#include "lease/lease.h"

enum { LIDO__SIZING_BUCKETS = 60, LIDO__SIZING_DECISIONS = 16 };

enum lido__sizing_reason {
    LIDO__GROW_WAITED,
    LIDO__GROW_AT_ONCE,
    LIDO__GROW_PEAK,
    LIDO__SHRINK_PEAK,
    LIDO__GROW_ASKED,
    LIDO__SHRINK_BUDGET,
    LIDO__SIZING_SET
};

struct lido__decision {
    uint64_t number, when_ns, from, to, peak;
    enum lido__sizing_reason reason;
};

struct lido__sizing_settings {
    uint64_t min, percent, contention_ns, interval_ns, window_ns;
};

struct lido__sizing {
    struct lido__sizing_settings set;
    bool is_on;
    uint64_t decide_ns;                  /* not before */
    uint64_t bucket;                     /* the newest: time / width */
    uint32_t peak[LIDO__SIZING_BUCKETS]; /* bucket b at b % 60 */
    uint64_t decision_count, told_count; /* the decisions told to the log are the first of all */
    struct lido__decision decision[LIDO__SIZING_DECISIONS]; /* number n at n % 16 */
};

bool lido__sizing_is_on(const struct lido__leases *leases);

/* Turns sizing on or off, or gives it other settings. `spare`, for the first time that it is
 * turned on, was allocated by the caller; taken if needed, else left to the caller: returns it. */
struct lido__sizing *lido__sizing_set(struct lido__leases *leases, bool is_on,
                                      const struct lido__sizing_settings *settings,
                                      struct lido__sizing *spare);

/* When a waiter may add a slot; LIDO_FOREVER: never. */
uint64_t lido__sizing_grow_at(const struct lido__leases *leases, uint64_t since_ns,
                              uint64_t deadline_ns);

/* Adds a slot if sizing is on and the limit allows. */
bool lido__sizing_grow(struct lido__leases *leases, enum lido__sizing_reason reason);

/* Makes the size at least, or at most, this; within min and max. */
void lido__sizing_raise(struct lido__leases *leases, uint64_t size);
void lido__sizing_lower(struct lido__leases *leases, uint64_t size);

/* limit_max has changed: the size keeps within its bounds. */
void lido__sizing_bound(struct lido__leases *leases);

/* Looks at the demand of this moment. */
void lido__sizing_sample(struct lido__leases *leases);

/* Decides, if it is time. */
void lido__sizing_decide(struct lido__leases *leases);

/* The largest demand in the window. */
uint64_t lido__sizing_peak(const struct lido__leases *leases);

/* The next decision that the log has not been told. */
bool lido__sizing_tell(struct lido__leases *leases, struct lido__decision *decision);

/* The oldest decision kept whose number is above `after`. */
bool lido__sizing_next(const struct lido__leases *leases, uint64_t after,
                       struct lido__decision *decision);

#endif
