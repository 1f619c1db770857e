/* SPDX-License-Identifier: MIT
 * Waiting without a thread: a request stands in the queue among the threads, and when its turn
 * comes a slot is claimed for it. Then it is told so, by a callback or an eventfd, and its owner takes
 * the lease, in whichever thread: so validate and create run there, not in the thread that released.
 *
 *      begin --> PENDING --> SERVED --> take (a lease) or cancel (the slot is free again)
 *                   |   +--> SENT_AWAY (closed), STARVED (no memory)
 *                   +--> cancel
 *
 * State changes under the pool's lock only, so of cancel and being served one wins. The notification
 * is sent after that, from a copy: the owner may have taken, and freed, the request by then.
 *
 * A callback that releases makes the next notification of its pool due. It is sent when the first has
 * returned, by the loop that sends them: the stack does not grow with the queue. One of another pool
 * is sent at once, since nobody would come back to it: the stack grows with the pools at most. */
#include "lease/fast.h"
#include "lease/internal.h"

#include "base/sys.h"

/* A notification of this thread that has not returned, and the one inside of which it is sent. */
struct notifying {
    struct lido__leases *leases;
    struct notifying *outer;
    bool is_thrown;
};

static _Thread_local struct notifying *innermost __attribute__((tls_model("initial-exec")));
static _Thread_local bool is_forbidden __attribute__((tls_model("initial-exec")));

bool lido__request_is_notifying(const struct lido__leases *leases) {
    const struct notifying *at = innermost;
    while (at && at->leases != leases)
        at = at->outer;
    return at != NULL;
}

bool lido__request_may_notify(const struct lido__leases *leases) {
    return !is_forbidden && !lido__request_is_notifying(leases);
}

bool lido__request_forbid(bool forbid) {
    bool before = is_forbidden;
    is_forbidden = forbid;
    return before;
}

bool lido__request_is_forbidden(void) {
    return is_forbidden;
}

/* A callback that throws must not leave the next request untold. */
static void end_notification(struct notifying *ended) {
    innermost = ended->outer;
    if (!ended->is_thrown)
        return;
    lido__lock(&ended->leases->lock);
    lido__leases_unlock_and_wake(ended->leases);
}

void lido__request_notify(struct lido__leases *leases, void (*notify)(void *context), void *context,
                          int descriptor) {
    struct notifying own __attribute__((cleanup(end_notification))) = {leases, innermost, true};
    innermost = &own;
    if (notify)
        notify(context);
    else
        lido__sys.signal_descriptor(descriptor);
    own.is_thrown = false;
}

lido_status lido__request_begin(struct lido__leases *leases, struct lido__request *request) {
    struct lido__lease_store *store = lido__lease_store_make(leases);
    lido_status status = LIDO_OK;
    bool no_memory = false, is_served = false;
    request->waiter = (struct lido__waiter){.since_ns = lido__sys.now_ns(),
                                            .thread_id = (uint32_t)lido__thread_id(),
                                            .slot = LIDO__NO_SLOT,
                                            .is_request = true};
    request->state = LIDO__ENDED;
    struct lido__request copy = *request;
    lido__tick_advance();
    lido__lock(&leases->lock);
    if (leases->is_closed)
        status = LIDO_ERR_CLOSED;
    else if (!leases->first_waiter) {
        request->waiter.slot = lido__lease_find(leases, store, &no_memory);
        is_served = request->waiter.slot != LIDO__NO_SLOT;
        if (leases->is_closed) /* making room let the lock go */
            status = LIDO_ERR_CLOSED;
    }
    if (is_served && status != LIDO_OK) {
        lido__lease_lay_back(leases, request->waiter.slot);
        is_served = false;
    } else if (is_served) {
        lido__lease_mark(leases, request->waiter.slot, LIDO__OF_REQUEST);
        request->state = LIDO__SERVED;
        leases->served++;
    } else if (no_memory)
        status = LIDO_ERR_NO_MEMORY;
    else if (leases->waiter_limit && leases->waiting + leases->looking >= leases->waiter_limit)
        status = status == LIDO_OK ? LIDO_ERR_LIMIT : status;
    else if (status == LIDO_OK) {
        request->state = LIDO__PENDING;
        lido__lease_join(leases, &request->waiter);
    }
    lido__leases_unlock_and_wake(leases);
    if (!is_served)
        return status;
    lido__request_notify(leases, copy.notify, copy.context, copy.descriptor);
    lido__lock(&leases->lock); /* what it gave back may be another request's */
    lido__leases_unlock_and_wake(leases);
    return LIDO_OK;
}

lido_status lido__request_take(struct lido__leases *leases, struct lido__request *request,
                               uint32_t *claimed) {
    static const lido_status answers[] = {LIDO_ERR_ARGUMENT, LIDO_ERR_EMPTY, LIDO_OK,
                                          LIDO_ERR_CLOSED, LIDO_ERR_NO_MEMORY};
    lido__lock(&leases->lock);
    enum lido__request_state state = request->state;
    *claimed = request->waiter.slot;
    if (state == LIDO__SERVED) {
        leases->served--;
        lido__lease_mark(leases, *claimed, (uint32_t)lido__thread_id());
    }
    if (state != LIDO__PENDING)
        request->state = LIDO__ENDED;
    lido__unlock(&leases->lock);
    return answers[state];
}

enum lido__request_state lido__request_cancel(struct lido__leases *leases,
                                              struct lido__request *request, uint32_t *claimed) {
    lido__lock(&leases->lock);
    enum lido__request_state state = request->state;
    *claimed = request->waiter.slot;
    if (state == LIDO__SERVED) {
        leases->served--;
        lido__lease_mark(leases, *claimed, (uint32_t)lido__thread_id());
    } else if (state == LIDO__PENDING)
        (void)lido__lease_leave(leases, &request->waiter);
    request->state = LIDO__ENDED;
    lido__leases_unlock_and_wake(leases);
    return state;
}
