/* SPDX-License-Identifier: MIT
 * Waits for a pool in the graph of base/waiting.h: what would have to happen for one to end.
 *
 * A pool serves a waiter when any of its slots comes back, so a wait is stuck when all of them are
 * out with stuck threads. A slot that is idle, vacant below the limit (that sizing may raise), on a shelf, or claimed (its
 * thread is in a callback, or has just been handed it) may still come: then the wait is not stuck.
 * Who may release is taken to be who acquired; where that is not so, the pool says is_handed_on.
 *
 * Asked only by a thread that is about to sleep. Mostly the first slot is with a thread that does
 * not wait, and that is all there is to read. */
#include "lease/fast.h"
#include "lease/internal.h"

#include "base/waiting.h"

enum { CHAIN_MAX = 8 };

/* With the lock held, and the graph's outside of it. */
static bool is_all_with_stuck(struct lido__leases *leases) {
    uint64_t held = 0;
    if (leases->is_closed || leases->idle_count > 0 || leases->existing < leases->limit_max)
        return false;
    for (uint32_t slot = 0; slot < lido__slot_bound(leases) && held < leases->existing; slot++) {
        struct lido__slot *at = lido__slot_at(leases, slot);
        /* Acquire: pairs with the release in lido__lease_write. */
        if ((lido__load(&at->turn, acquire) & 1) == 0 || lido__lease_is_retired(leases, slot))
            continue;
        if (!lido__waiting_thread_is_stuck(lido__load(&at->thread_id, relaxed)))
            return false;
        held++;
    }
    return held >= leases->existing;
}

static bool is_stuck(const struct lido__wait *wait) {
    struct lido__leases *leases = (struct lido__leases *)(uintptr_t)wait->resource;
    lido__lock(&leases->lock);
    bool answer = is_all_with_stuck(leases);
    lido__unlock(&leases->lock);
    return answer;
}

/* Where the holder of a slot waits: it is this thread, or one of the chain. */
static const char *find_wait(const struct lido__wait *wait, const struct lido__wait *chain,
                             int count, uint64_t thread_id) {
    for (int i = 0; i < count; i++)
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
        if ((lido__load(&at->turn, acquire) & 1) == 0 || !waits_at ||
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
    if (leases->is_handed_on) {
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
