/* SPDX-License-Identifier: MIT
 * Waits for a pool in the graph of base/waiting.h: what would have to happen for one to end.
 *
 * A pool serves a waiter when any of its slots comes back, so a wait is stuck when all of them are
 * out with stuck threads. A slot that is idle, vacant below the limit (that sizing may raise), on a shelf, or claimed (its
 * thread is in a callback, or has just been handed it) may still come: then the wait is not stuck.
 *
 * All that goes by who acquired; but a lease may be handed on, and then another thread releases it.
 * A pool whose leases were never handed on is known by its books: slow releases see who had the
 * lease, and fast ones leave their trace in the counters that each thread keeps anyway, since who
 * releases what another acquired has released too much, and the other too little:
 *
 *      acquired - released - discarded  =  leases out under this thread's name      for each thread
 *
 * So a wait is refused when that holds, and TRUST leases have come back so far. Rejected: to
 * trust from the first lease on (a producer that waits for its consumers would be refused; that is
 * LIDO_OBJECT_POOL_RELEASED_BY_ACQUIRER), to compare threads in each release (the fast path pays).
 *
 * Asked only by a thread that is about to sleep. Mostly the first slot is with a thread that does
 * not wait, and that is all there is to read. */
#include "lease/fast.h"
#include "lease/internal.h"

#include "base/waiting.h"
#include "base/word.h"

enum { CHAIN_MAX = 8, TRUST = 64 };

void lido__lease_note_releaser(struct lido__leases *leases, const lido_lease *lease,
                               uint32_t thread_id) {
    struct lido__slot *at = lido__slot_find(leases, lease->slot);
    /* Relaxed: who holds the lease got it after this was written; if it is no good, no harm. */
    if (at && lido__turn_of(lido__load(&at->name, relaxed)) == lease->turn &&
        lido__load(&at->thread_id, relaxed) != thread_id &&
        lido__load(&leases->is_handed_on, relaxed) == 0)
        lido__store(&leases->is_handed_on, 1, relaxed);
}

/* With the lock held: leases out under a thread's name. */
static uint64_t count_held(struct lido__leases *leases, uint32_t thread_id) {
    uint64_t held = 0;
    for (uint32_t slot = 0; slot < lido__slot_bound(leases); slot++) {
        struct lido__slot *at = lido__slot_at(leases, slot);
        if (lido__load(&at->thread_id, relaxed) == thread_id)
            held += lido__turn_of(lido__load(&at->name, relaxed)) & 1; /* its thread waits */
    }
    return held;
}

/* With the lock held, while all that is out is with threads that wait: so the books stand still, but
 * for a thread that has just released what one of these holds now, and they have its store. */
static bool is_released_by_acquirers(struct lido__leases *leases) {
    uint64_t released = leases->count.released;
    if (leases->is_by_acquirer || LIDO__IS_ALONE())
        return true;
    if (lido__load(&leases->is_handed_on, relaxed))
        return false;
    for (struct lido__lease_store *store = leases->stores; store; store = store->next_of_pool) {
        uint64_t back = lido__load(&store->released, relaxed);
        uint64_t ended = back + lido__load(&store->discarded, relaxed);
        if (lido__load(&store->acquired, relaxed) - ended != count_held(leases, store->thread_id))
            return false;
        released += back;
    }
    return released >= TRUST;
}

/* With the lock held, and the graph's outside of it. */
static bool is_all_with_stuck(struct lido__leases *leases) {
    uint64_t held = 0;
    if (leases->is_closed || leases->idle_count > 0 || leases->existing < leases->limit_max)
        return false;
    for (uint32_t slot = 0; slot < lido__slot_bound(leases) && held < leases->existing; slot++) {
        struct lido__slot *at = lido__slot_at(leases, slot);
        /* Acquire: pairs with the release in lido__lease_write. */
        if ((lido__turn_of(lido__load(&at->name, acquire)) & 1) == 0 ||
            lido__lease_is_retired(leases, slot))
            continue;
        if (!lido__waiting_thread_is_stuck(lido__load(&at->thread_id, relaxed)))
            return false;
        held++;
    }
    return held >= leases->existing && is_released_by_acquirers(leases);
}

static bool is_stuck(const struct lido__wait *wait) {
    struct lido__leases *leases = (struct lido__leases *)(uintptr_t)wait->resource;
    lido__lock(&leases->lock);
    bool answer = is_all_with_stuck(leases);
    lido__unlock(&leases->lock);
    return answer;
}

static bool is_with(const struct lido__wait *wait, const struct lido__wait *other) {
    struct lido__leases *leases = (struct lido__leases *)(uintptr_t)wait->resource;
    lido__lock(&leases->lock);
    bool answer = count_held(leases, other->thread_id) > 0;
    lido__unlock(&leases->lock);
    return answer;
}

/* Where the holder of a slot waits: it is this thread, or one of the chain. */
static const char *find_wait(const struct lido__wait *wait, const struct lido__wait *chain,
                             int count, uint64_t thread_id) {
    for (int i = 0; i < count && i < CHAIN_MAX; i++)
        if (chain[i].thread_id == thread_id)
            return chain[i].site;
    return wait->thread_id == thread_id ? wait->site : NULL;
}

/* A holder other than this thread says more, if there is one. */
static void describe(struct lido__leases *leases, const struct lido__wait *wait,
                     const struct lido__wait *chain, int count, struct lido__knot *knot) {
    knot->thread_count = (uint64_t)count + 1;
    lido__lock(&leases->lock);
    for (uint32_t slot = 0; slot < lido__slot_bound(leases); slot++) {
        struct lido__slot *at = lido__slot_at(leases, slot);
        uint32_t thread_id = lido__load(&at->thread_id, relaxed); /* all of them wait */
        const char *waits_at = find_wait(wait, chain, count, thread_id);
        if ((lido__turn_of(lido__load(&at->name, acquire)) & 1) == 0 || !waits_at ||
            lido__lease_is_retired(leases, slot) || (knot->held_at && thread_id == wait->thread_id))
            continue;
        knot->held_at = lido__load(&at->site, relaxed);
        knot->waits_at = waits_at;
        knot->thread_id = thread_id;
        if (thread_id != wait->thread_id)
            break;
    }
    lido__unlock(&leases->lock);
}

bool lido__lease_wait_begins(struct lido__leases *leases, struct lido__wait *wait,
                             struct lido__knot *knot) {
    struct lido__wait chain[CHAIN_MAX];
    int count = 0;
    wait->resource = leases;
    wait->is_stuck = is_stuck;
    wait->is_with = is_with;
    if (lido__load(&leases->is_handed_on, relaxed)) { /* a hint, or fixed */
        wait->resource = NULL; /* it cannot be stuck, so nobody needs to know of it */
        return true;
    }
    if (lido__holds.self == 0)
        lido__holds_begin();
    if (lido__waiting_enter(wait, chain, CHAIN_MAX, &count))
        return true;
    wait->resource = NULL;
    describe(leases, wait, chain, count, knot);
    return false;
}
