/* SPDX-License-Identifier: MIT
 * The queue of the lease engine: who waits, who is woken, who is served directly. The rule of
 * overtaking is told in lease.h.
 *
 *   W1  a waiter is in the queue until it takes something, is handed something, or gives up
 *   W2  when something is free and the first waiter does not know, it is told (is_woken): every
 *       change that frees something ends in unlock_and_wake, and so does every departure
 *
 * Before it joins, a thread looks again a few times, and lets others have its CPU between: with more
 * threads than CPUs some holder is ready to run, and what it gives back then costs no sleep and no
 * wake-up. A look is a claim like the first one, and has no place in the order. Where a holder works for
 * long, a look is as slow as a sleep and only costs the place: then most threads join at once, see learn.
 *
 * A waiter lies on its thread's stack. Its word is written under the lock; after that its thread
 * may be gone, so the waker uses the word's address only as a name for the kernel. */
#include "lease/fast.h"
#include "lease/internal.h"
#include "lease/sizing.h"

#include "base/sys.h"

#include <lido/base.h>

enum { WAKE_BATCH = 8 };

/* ---- With the lock held ------------------------------------------------------------------ */

bool lido__lease_leave(struct lido__leases *leases, struct lido__waiter *waiter) {
    struct lido__waiter **at = &leases->first_waiter;
    while (*at && *at != waiter)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = waiter->next;
    if (leases->last_waiter == &waiter->next)
        leases->last_waiter = at;
    leases->waiting--;
    waiter->is_queued = false;
    return true;
}

static void leave_queue(struct lido__leases *leases, struct lido__waiter *waiter) {
    (void)lido__lease_leave(leases, waiter);
}

void lido__lease_join(struct lido__leases *leases, struct lido__waiter *waiter) {
    waiter->next = NULL;
    waiter->is_queued = true;
    *leases->last_waiter = waiter;
    leases->last_waiter = &waiter->next;
    leases->waiting++;
    leases->count.waits++;
    leases->calm_calls = 0;
}

static bool is_overdue(const struct lido__leases *leases, const struct lido__waiter *waiter) {
    return waiter->passed >= leases->bypass;
}

static bool has_free(const struct lido__leases *leases) {
    return leases->idle_count > 0 || lido__lease_has_room(leases);
}

static _Atomic(uint32_t) *tell(struct lido__waiter *waiter) {
    /* Release: pairs with the acquire in sleep_until; what was handed comes before the word. */
    lido__store(&waiter->word, 1, release);
    return &waiter->word;
}

static bool is_request_due(const struct lido__leases *leases) {
    const struct lido__waiter *first = leases->first_waiter;
    return first && first->is_request && lido__request_may_notify(leases) &&
           (leases->is_closed || has_free(leases));
}

/* How a request is told; a copy, since the request may be gone by then. */
struct notification {
    void (*notify)(void *context);
    void *context;
    int descriptor;
};

/* Serves a request that is first, if anything is free. True: it has to be told. */
static bool serve_request(struct lido__leases *leases, struct notification *told) {
    struct lido__waiter *first = leases->first_waiter;
    struct lido__request *request = (struct lido__request *)(void *)first;
    bool no_memory = false;
    if (!is_request_due(leases))
        return false;
    if (leases->is_closed)
        request->state = LIDO__SENT_AWAY;
    else {
        uint32_t slot = lido__lease_find_free(leases, &no_memory);
        /* Making room let the lock go: it may be another's turn, or the place may be another's. */
        if (leases->first_waiter != first || !first->is_request || leases->is_closed ||
            (slot == LIDO__NO_SLOT && !no_memory)) {
            if (slot != LIDO__NO_SLOT)
                lido__lease_lay_back(leases, slot);
            return false;
        }
        first->slot = slot;
        request->state = slot == LIDO__NO_SLOT ? LIDO__STARVED : LIDO__SERVED;
        if (slot != LIDO__NO_SLOT) {
            lido__lease_mark(leases, slot, LIDO__OF_REQUEST);
            leases->served++;
        }
    }
    leave_queue(leases, first);
    *told = (struct notification){request->notify, request->context, request->descriptor};
    return true;
}

/* The next thread that has to be told something, or NULL. */
static _Atomic(uint32_t) *offer(struct lido__leases *leases) {
    struct lido__waiter *first = leases->first_waiter;
    bool no_memory = false;
    if (!first || first->is_request)
        return NULL;
    if (leases->is_closed) {
        leave_queue(leases, first);
        return tell(first);
    }
    if (!has_free(leases))
        return NULL;
    if (is_overdue(leases, first)) {
        uint32_t slot = lido__lease_find_free(leases, &no_memory);
        if (slot != LIDO__NO_SLOT && leases->first_waiter == first) {
            first->slot = slot;
            lido__lease_mark(leases, slot, first->thread_id);
            leave_queue(leases, first);
            return tell(first);
        }
        if (slot != LIDO__NO_SLOT) /* making room let the lock go, and the queue moved on */
            lido__lease_lay_back(leases, slot);
    }
    if (leases->first_waiter != first || first->is_woken)
        return NULL;
    first->is_woken = true;
    return tell(first);
}

void lido__leases_unlock_and_wake(struct lido__leases *leases) {
    _Atomic(uint32_t) *told[WAKE_BATCH] = {NULL};
    struct notification due = {NULL, NULL, -1};
    bool is_quiet = leases->is_closed && leases->existing == leases->idle_count;
    bool is_told, goes_on;
    int count;
    if (is_quiet)
        (void)lido__add(&leases->quiet, 1, relaxed); /* under the lock; park compares it */
    do {
        is_told = serve_request(leases, &due);
        for (count = 0; count < WAKE_BATCH && (told[count] = offer(leases)) != NULL;)
            count++;
        goes_on = count == WAKE_BATCH || is_told || is_request_due(leases);
        lido__unlock(&leases->lock);
        for (int i = 0; i < count; i++)
            lido__sys.unpark(told[i], 1);
        if (is_told)
            lido__request_notify(leases, due.notify, due.context, due.descriptor);
        if (goes_on)
            lido__lock(&leases->lock);
    } while (goes_on);
    if (is_quiet)
        lido__sys.unpark(&leases->quiet, INT32_MAX);
}

/* ---- Waiting ----------------------------------------------------------------------------- */

static bool sleep_until(struct lido__waiter *waiter, uint64_t deadline_ns) {
    bool in_time = true;
    /* Acquire: pairs with the release in tell. */
    while (in_time && lido__load(&waiter->word, acquire) == 0)
        in_time = lido__sys.park(&waiter->word, 0, deadline_ns);
    return in_time;
}

static void count_wait(struct lido__leases *leases, uint64_t waited_ns, uint32_t passed) {
    leases->count.wait_total_ns += waited_ns;
    if (waited_ns > leases->count.wait_max_ns)
        leases->count.wait_max_ns = waited_ns;
    if (passed > leases->count.overtakes_max)
        leases->count.overtakes_max = passed;
}

/* What a waiter found for itself. Making room let the lock go: it may have been handed a slot, or
 * been sent away meanwhile. */
static void take_found(struct lido__leases *leases, struct lido__waiter *waiter, uint32_t slot) {
    if (slot != LIDO__NO_SLOT && waiter->is_queued)
        waiter->slot = slot;
    else if (slot != LIDO__NO_SLOT)
        lido__lease_lay_back(leases, slot);
}

enum { LOOK_AGAIN_NS = 1000000, LOOK_AGAIN_MAX_NS = 64000000 };

/* Sleeps without the lock; at most for nap_ns while a shelf was not reached (L3): then the first
 * looks again. Whether something happened before until_ns. */
static bool doze(struct lido__leases *leases, struct lido__waiter *waiter, uint64_t until_ns,
                 uint64_t *nap_ns) {
    uint64_t look_ns = LIDO_FOREVER;
    if (leases->is_shelf_missed) {
        look_ns = lido__sys.now_ns() + *nap_ns;
        *nap_ns = *nap_ns < LOOK_AGAIN_MAX_NS ? *nap_ns * 2 : *nap_ns;
    }
    lido__unlock(&leases->lock);
    bool in_time = sleep_until(waiter, look_ns < until_ns ? look_ns : until_ns);
    lido__lock(&leases->lock);
    if (in_time || look_ns >= until_ns)
        return in_time;
    if (leases->first_waiter == waiter && leases->is_shelf_missed)
        (void)lido__lease_gather(leases);
    return true;
}

/* Called and returns with the lock held. */
static lido_status wait(struct lido__leases *leases, struct lido__waiter *waiter,
                        uint64_t deadline_ns) {
    lido_status status = LIDO_OK;
    bool in_time = true, no_memory = false;
    uint64_t nap_ns = LOOK_AGAIN_NS;
    uint64_t grow_ns = lido__sizing_grow_at(leases, waiter->since_ns, deadline_ns);
    while (waiter->slot == LIDO__NO_SLOT && status == LIDO_OK) {
        uint64_t until_ns = grow_ns < deadline_ns ? grow_ns : deadline_ns;
        in_time = doze(leases, waiter, until_ns, &nap_ns);
        if (waiter->slot != LIDO__NO_SLOT)
            break; /* handed over; out of the queue */
        if (leases->is_closed && lido__load(&waiter->word, relaxed) != 0)
            return LIDO_ERR_CLOSED;             /* sent away; out of the queue */
        lido__store(&waiter->word, 0, relaxed); /* under the lock, as all writes of it */
        waiter->is_woken = false;
        /* Only the first may take: who comes later was not told, but may have timed out. */
        if (leases->first_waiter == waiter)
            take_found(leases, waiter, lido__lease_find_free(leases, &no_memory));
        if (!in_time && grow_ns != LIDO_FOREVER) {
            /* It has waited long enough to add a slot, which is its own whatever its place. */
            while (waiter->slot == LIDO__NO_SLOT && waiter->is_queued && !no_memory &&
                   lido__sizing_grow(leases, LIDO__GROW_WAITED))
                take_found(leases, waiter, lido__lease_find_vacant(leases, &no_memory));
            in_time = grow_ns < deadline_ns;
            grow_ns = LIDO_FOREVER;
        }
        if (!waiter->is_queued)
            continue; /* and it has its slot, or its word says that it was sent away */
        if (waiter->slot == LIDO__NO_SLOT && no_memory)
            status = LIDO_ERR_NO_MEMORY;
        else if (waiter->slot == LIDO__NO_SLOT && !in_time)
            status = leases->is_closed ? LIDO_ERR_CLOSED : LIDO_ERR_TIMEOUT;
        if (waiter->slot != LIDO__NO_SLOT || status != LIDO_OK)
            leave_queue(leases, waiter);
    }
    return status;
}

/* Called and returns with the lock held. The slot that somebody handed over while the graph was
 * looked at is taken. */
static lido_status enter_and_wait(struct lido__leases *leases, struct lido__waiter *waiter,
                                  struct lido__wait *edge, struct lido__knot *knot,
                                  uint64_t deadline_ns) {
    if (deadline_ns <= waiter->since_ns) /* it is late already, and will not sleep */
        return wait(leases, waiter, deadline_ns);
    lido__unlock(&leases->lock);
    bool may_end = lido__lease_wait_begins(leases, edge, knot);
    lido__lock(&leases->lock);
    bool is_sent_away = leases->is_closed && lido__load(&waiter->word, relaxed) != 0;
    if (may_end || is_sent_away || waiter->slot != LIDO__NO_SLOT)
        return wait(leases, waiter, deadline_ns);
    leave_queue(leases, waiter);
    return LIDO_ERR_DEADLOCK;
}

/* Called and returns with the lock held; after handing it back, the edge has to leave the graph. */
static lido_status join_and_wait(struct lido__leases *leases, struct lido__patience patience,
                                 uint64_t since_ns, uint64_t deadline_ns, struct lido__wait *edge,
                                 uint32_t *claimed) {
    struct lido__waiter waiter = {
        .since_ns = since_ns, .thread_id = (uint32_t)lido__thread_id(), .slot = LIDO__NO_SLOT};
    /* It leaves the queue before this frame ends. */
    // cppcheck-suppress autoVariables
    lido__lease_join(leases, &waiter);
    lido__sizing_sample(leases);
    edge->site = patience.site;
    lido_status status = enter_and_wait(leases, &waiter, edge, patience.knot, deadline_ns);
    uint64_t now_ns = lido__sys.now_ns();
    count_wait(leases, now_ns > waiter.since_ns ? now_ns - waiter.since_ns : 0, waiter.passed);
    *claimed = waiter.slot;
    return status;
}

bool lido__lease_may_overtake(const struct lido__leases *leases) {
    const struct lido__waiter *first = leases->first_waiter;
    return !first || !is_overdue(leases, first);
}

/* Making room let the lock go, and the pool may have been closed meanwhile: then nothing is handed
 * out, and nobody begins to wait. */
static lido_status look_for_close(struct lido__leases *leases, uint32_t *claimed) {
    if (!leases->is_closed)
        return LIDO_OK;
    if (*claimed != LIDO__NO_SLOT)
        lido__lease_lay_back(leases, *claimed);
    *claimed = LIDO__NO_SLOT;
    return LIDO_ERR_CLOSED;
}

/* Takes what is free, unless it is the turn of who waits. */
static lido_status take_free(struct lido__leases *leases, struct lido__lease_store *store,
                             uint32_t *claimed, bool *no_memory) {
    if (leases->is_closed)
        return LIDO_ERR_CLOSED;
    if (!lido__lease_may_overtake(leases))
        return LIDO_OK;
    *claimed = lido__lease_find(leases, store, no_memory);
    if (*claimed != LIDO__NO_SLOT && leases->first_waiter)
        leases->first_waiter->passed++;
    return look_for_close(leases, claimed);
}

/* Looks of a wait, how long is long for all of them, and how many waits go without after such ones. */
enum {
    LOOKS = 2,
    LOOKS_WEIGHED = 8,
    LONG_NS = 180000,
    REST_FIRST = 64,
    REST_GROWTH = 16,
    REST_MAX = 16384
};

/* Looks that take long on the average: the next waits go without, sixteen times as many where that
 * goes on. */
static void learn(struct lido__leases *leases, uint64_t took_ns) {
    leases->look_average_ns += took_ns / LOOKS_WEIGHED;
    leases->look_average_ns -= leases->look_average_ns / LOOKS_WEIGHED;
    if (leases->look_average_ns < LONG_NS / 2 || leases->look_rest_next == 0)
        leases->look_rest_next = REST_FIRST;
    if (leases->look_average_ns < LONG_NS)
        return;
    leases->look_average_ns = LONG_NS / 2;
    leases->look_rest = leases->look_rest_next;
    if (leases->look_rest_next < REST_MAX)
        leases->look_rest_next *= REST_GROWTH;
}

/* Called and returns with the lock held: looks for what comes back soon. */
static lido_status look_again(struct lido__leases *leases, struct lido__lease_store *store,
                              uint64_t since_ns, uint64_t deadline_ns, uint32_t *claimed,
                              bool *no_memory) {
    lido_status status = LIDO_OK;
    uint64_t now_ns = since_ns;
    if (leases->bypass == 0 || leases->look_rest > 0) {
        leases->look_rest -= leases->look_rest > 0;
        return LIDO_OK;
    }
    leases->calm_calls = 0;
    leases->looking++;
    for (int looks = 0; looks < LOOKS && status == LIDO_OK && *claimed == LIDO__NO_SLOT &&
                        !*no_memory && now_ns < deadline_ns && now_ns - since_ns < 2 * LONG_NS &&
                        lido__lease_may_overtake(leases);
         looks++) {
        lido__unlock(&leases->lock);
        lido__sys.yield();
        now_ns = lido__sys.now_ns();
        lido__lock(&leases->lock);
        status = take_free(leases, store, claimed, no_memory);
    }
    leases->looking--;
    learn(leases, now_ns - since_ns);
    if (*claimed != LIDO__NO_SLOT) {
        leases->count.waits++;
        count_wait(leases, now_ns - since_ns, 0);
    }
    return status;
}

/* Called and returns with the lock held. */
static lido_status wait_for_one(struct lido__leases *leases, struct lido__lease_store *store,
                                struct lido__patience patience, struct lido__wait *edge,
                                uint32_t *claimed) {
    uint64_t since_ns = lido__sys.now_ns(), deadline_ns = patience.deadline_ns;
    bool no_memory = false;
    if (patience.timeout_ns < LIDO_FOREVER - since_ns)
        deadline_ns = since_ns + patience.timeout_ns;
    lido_status status = look_again(leases, store, since_ns, deadline_ns, claimed, &no_memory);
    if (status != LIDO_OK || *claimed != LIDO__NO_SLOT)
        return status;
    if (no_memory)
        return LIDO_ERR_NO_MEMORY;
    return join_and_wait(leases, patience, since_ns, deadline_ns, edge, claimed);
}

lido_status lido__lease_claim(struct lido__leases *leases, struct lido__patience patience,
                              uint32_t *claimed) {
    struct lido__lease_store *store = lido__lease_store_make(leases);
    struct lido__wait edge = {.resource = NULL};
    bool no_memory = false;
    *claimed = LIDO__NO_SLOT;
    lido__holds.enters = true; /* what it may hold from now on is known by the slots */
    lido__tick_advance();
    lido__lock(&leases->lock);
    lido_status status = take_free(leases, store, claimed, &no_memory);
    if (status == LIDO_OK && *claimed == LIDO__NO_SLOT) {
        if (no_memory)
            status = LIDO_ERR_NO_MEMORY;
        else if (!patience.may_wait) {
            while (*claimed == LIDO__NO_SLOT && !no_memory &&
                   lido__sizing_grow(leases, LIDO__GROW_AT_ONCE))
                *claimed = lido__lease_find_vacant(leases, &no_memory);
            if (*claimed == LIDO__NO_SLOT)
                status = no_memory ? LIDO_ERR_NO_MEMORY : LIDO_ERR_EMPTY;
            else
                status = look_for_close(leases, claimed);
        } else if (leases->waiter_limit &&
                   leases->waiting + leases->looking >= leases->waiter_limit)
            status = LIDO_ERR_LIMIT;
        else
            status = wait_for_one(leases, store, patience, &edge, claimed);
    }
    if (status == LIDO_ERR_TIMEOUT || status == LIDO_ERR_EMPTY)
        leases->count.timeouts++;
    if (*claimed != LIDO__NO_SLOT)
        lido__lease_mark(leases, *claimed, (uint32_t)lido__thread_id());
    lido__sizing_sample(leases);
    lido__leases_unlock_and_wake(leases);
    if (edge.resource)
        lido__waiting_leave(&edge);
    return status;
}

/* ---- Ends and limits --------------------------------------------------------------------- */

lido_status lido__leases_close(struct lido__leases *leases, uint64_t timeout_ns) {
    uint64_t start_ns = lido__sys.now_ns();
    uint64_t deadline_ns =
        timeout_ns < LIDO_FOREVER - start_ns ? start_ns + timeout_ns : LIDO_FOREVER;
    bool in_time = timeout_ns != 0, is_quiet = false;
    lido__lock(&leases->lock);
    leases->is_closed = true;
    (void)lido__lease_gather(leases);
    for (;;) {
        is_quiet = leases->existing == leases->idle_count;
        uint32_t seen = lido__load(&leases->quiet, relaxed); /* changes under this lock */
        lido__leases_unlock_and_wake(leases);
        if (is_quiet || !in_time)
            return is_quiet ? LIDO_OK : LIDO_ERR_BUSY;
        in_time = lido__sys.park(&leases->quiet, seen, deadline_ns);
        lido__lock(&leases->lock);
    }
}

void lido__leases_set_limit(struct lido__leases *leases, uint64_t limit) {
    lido__lock(&leases->lock);
    leases->limit_max = limit;
    if (lido__sizing_is_on(leases))
        lido__sizing_bound(leases);
    else
        leases->limit = limit;
    (void)lido__lease_gather(leases); /* what is on shelves may be too much now */
    lido__leases_unlock_and_wake(leases);
}

void lido__leases_enforce(struct lido__leases *leases) {
    lido__lock(&leases->lock);
    if (leases->existing > leases->limit)
        (void)lido__lease_gather(leases); /* so that what comes back comes by the lock */
    lido__leases_unlock_and_wake(leases);
}

/* The threads that waited are not here. */
void lido__leases_forget_waiters(struct lido__leases *leases) {
    leases->first_waiter = NULL;
    leases->last_waiter = &leases->first_waiter;
    leases->waiting = leases->looking = 0;
}
