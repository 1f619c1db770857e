/* SPDX-License-Identifier: MIT
 * P3, return-all: every lease that is out is retired at one stroke. Its slot stays with its holder,
 * but no longer counts; when it comes back it ends instead of going to somebody else.
 *
 *      releaser                               return-all, with the lock
 *      turn = even                            gather: keep = 0, shelves emptied
 *      fence (on entering the gate)           next = MARKED for each slot that is out
 *      MARKED or RETIRED? by the lock         barrier: a fence in every thread
 *      else onto the shelf                    turn still odd? RETIRED. Else no mark
 *
 * Either the release is seen here, and the slot is left as it is; or the releaser sees a mark, goes
 * by the lock, and is told what holds. A slot that was released and handed out again between the
 * two looks is retired too: its holder came while this ran. Nobody else touches `next` of a slot that
 * is out, for lists change under the lock.
 *
 * Rejected: changing the turn, so that the lease is refused (release looks and writes in two steps,
 * and its write may land on top), a second word in each lease (16 bytes would be 24). */
#include "lease/fast.h"
#include "lease/internal.h"

static bool is_out(struct lido__slot *at) {
    return (lido__load(&at->turn, relaxed) & 1) != 0; /* the barrier orders it */
}

static void mark_all(struct lido__leases *leases) {
    for (uint32_t slot = 0; slot < leases->slot_count; slot++) {
        struct lido__slot *at = lido__slot_at(leases, slot);
        if (is_out(at) && !lido__lease_is_retired(leases, slot))
            lido__store(&at->next, LIDO__MARKED, relaxed); /* the barrier orders it */
    }
}

/* Turns marks into what holds. Returns how many were retired. */
static uint64_t settle_marks(struct lido__leases *leases, bool reached) {
    uint64_t retired = 0;
    for (uint32_t slot = 0; slot < leases->slot_count; slot++) {
        struct lido__slot *at = lido__slot_at(leases, slot);
        if (lido__load(&at->next, relaxed) != LIDO__MARKED) /* under the lock */
            continue;
        bool is_retired = reached && is_out(at);
        lido__store(&at->next, is_retired ? LIDO__RETIRED : LIDO__NO_SLOT, relaxed);
        retired += is_retired;
    }
    return retired;
}

/* A gate that is fenced orders its owner by itself. */
static bool is_each_fenced(const struct lido__leases *leases) {
    bool each = true;
    for (struct lido__lease_store *store = leases->stores; store; store = store->next_of_pool)
        each = each && lido__load(&store->gate.fenced, acquire) != 0; /* P1 */
    return each;
}

lido_status lido__leases_return_all(struct lido__leases *leases, uint64_t *count) {
    lido__lock(&leases->lock);
    lido__lease_gather(leases);
    mark_all(leases);
    bool reached = lido__gate_barrier() || is_each_fenced(leases);
    *count = settle_marks(leases, reached);
    leases->count.retired += *count;
    leases->existing -= *count;
    lido__leases_unlock_and_wake(leases);
    return reached ? LIDO_OK : LIDO_ERR_SYSTEM;
}
