/* SPDX-License-Identifier: MIT
 * What lease.c and waiters.c share. All with the lock held. */
#ifndef LIDO_SRC_LEASE_INTERNAL_H
#define LIDO_SRC_LEASE_INTERNAL_H

#include "lease/lease.h"

/* An idle slot, else a vacant one below the limit, as things are. May let the lock go to make room
 * for slots; sets *no_memory when that failed. */
uint32_t lido__lease_find_free(struct lido__leases *leases, bool *no_memory);

/* The same, but looks on all shelves before it gives up or builds. */
uint32_t lido__lease_find(struct lido__leases *leases, struct lido__lease_store *store,
                          bool *no_memory);

/* P2: turns to the shared regime and empties every shelf that can be reached. */
void lido__lease_gather(struct lido__leases *leases);

/* A vacant slot below the limit. May let the lock go, as above. */
uint32_t lido__lease_find_vacant(struct lido__leases *leases, bool *no_memory);

/* Whether one more slot may exist now, by limit and budget. */
bool lido__lease_has_room(const struct lido__leases *leases);

/* What other threads seem to have on their shelves: a hint, by loads that may be late. */
uint64_t lido__lease_shelved(const struct lido__leases *leases);

void lido__leases_forget_waiters(struct lido__leases *leases);

void lido__lease_lay_idle(struct lido__leases *leases, uint32_t slot);

/* What find_free or find_vacant gave goes back to where it came from. */
void lido__lease_lay_back(struct lido__leases *leases, uint32_t slot);

#endif
