/* SPDX-License-Identifier: MIT
 * What lease.c and waiters.c share. All with the lock held. */
#ifndef LIDO_SRC_LEASE_INTERNAL_H
#define LIDO_SRC_LEASE_INTERNAL_H

#include "lease/lease.h"

#include "base/waiting.h"

/* An idle slot, else a vacant one below the limit, as things are. May let the lock go to make room
 * for slots; sets *no_memory when that failed. */
uint32_t lido__lease_find_free(struct lido__leases *leases, bool *no_memory);

/* The same, but looks on all shelves before it gives up or builds. */
uint32_t lido__lease_find(struct lido__leases *leases, struct lido__lease_store *store,
                          bool *no_memory);

/* P2: turns to the shared regime and empties every shelf that can be reached. True: whoever has a
 * shelf knows of the regime from now on. */
bool lido__lease_gather(struct lido__leases *leases);

/* A vacant slot below the limit. May let the lock go, as above. */
uint32_t lido__lease_find_vacant(struct lido__leases *leases, bool *no_memory);

/* Whether one more slot may exist now, by limit and budget. */
bool lido__lease_has_room(const struct lido__leases *leases);

/* What other threads seem to have on their shelves: a hint, by loads that may be late. */
uint64_t lido__lease_shelved(const struct lido__leases *leases);

/* Enters the graph of who waits for what, without the lock. False: the wait could never end. Of
 * a pool's waits each is in it from joining the queue to the end of the claim. */
bool lido__lease_wait_begins(struct lido__leases *leases, struct lido__wait *wait,
                             struct lido__knot *knot);

/* Joins the queue, and leaves it. False: it is not in it, since a fork emptied it. */
void lido__lease_join(struct lido__leases *leases, struct lido__waiter *waiter);
bool lido__lease_leave(struct lido__leases *leases, struct lido__waiter *waiter);

/* May a call take what is free, before those who wait? */
bool lido__lease_may_overtake(const struct lido__leases *leases);

/* Without the lock: tells who asked. The request itself is not touched. */
void lido__request_notify(struct lido__leases *leases, void (*notify)(void *context), void *context,
                          int descriptor);

/* Whether this thread may notify: not while it does for this pool, nor with locks of lido in hand. */
bool lido__request_may_notify(const struct lido__leases *leases);
/* Forbids it until called with false; returns what was before. */
bool lido__request_forbid(bool is_forbidden);
bool lido__request_is_forbidden(void);

void lido__leases_forget_waiters(struct lido__leases *leases);

/* What came back and is free: for all, or to end. */
void lido__lease_lay_free(struct lido__leases *leases, uint32_t slot);

/* P3, see retire.c. Whether the lease of a slot was retired and has not come back. */
bool lido__lease_is_retired(struct lido__leases *leases, uint32_t slot);
/* The slot is seen to be back. True: it was retired, so its object must end. */
bool lido__lease_note_back(struct lido__leases *leases, uint32_t slot);
/* The slot becomes vacant. True: it was retired, and does not count in `existing`. */
bool lido__lease_forget_retired(struct lido__leases *leases, uint32_t slot);

/* What find_free or find_vacant gave goes back to where it came from. */
void lido__lease_lay_back(struct lido__leases *leases, uint32_t slot);

#endif
