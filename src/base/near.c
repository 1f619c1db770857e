/* SPDX-License-Identifier: MIT
 * See near.h. */
#include "base/near.h"

#include "base/fork.h"
#include "base/sys.h"

lido__mutex lido__near_lock = LIDO__MUTEX_INIT;

static void free_all(struct lido__near *near) {
    lido__near_last = lido__near_lease = &lido__near_none; /* it may be one of them */
    while (near) {
        struct lido__near *next = near->next;
        lido__sys.free(near);
        near = next;
    }
}

struct lido__near *lido__near_find(uint64_t id, const void *owner) {
    struct lido__near **chain = &lido__thread_self->near[id % LIDO__NEAR_CHAINS];
    struct lido__near *ended = NULL, *found = NULL;
    if (lido__load(&(*chain)->owner, relaxed) == owner) /* only this thread hangs it there */
        return *chain;
    if (*chain == &lido__near_none)
        return NULL;
    lido__lock(&lido__near_lock);
    for (struct lido__near **at = chain; *at != &lido__near_none && !found;) {
        struct lido__near *near = *at;
        const void *seen = lido__load(&near->owner, relaxed); /* changes under this lock */
        if (seen && seen != owner) {
            at = &near->next;
            continue;
        }
        *at = near->next;
        if (seen)
            found = near;
        near->next = seen ? *chain : ended;
        *(seen ? chain : &ended) = near;
    }
    lido__unlock(&lido__near_lock);
    free_all(ended);
    return found;
}

bool lido__near_recall(uint64_t id, const void *owner) {
    struct lido__near *near = lido__thread_self->near[id % LIDO__NEAR_CHAINS];
    if (near == lido__near_last || lido__load(&near->owner, relaxed) != owner)
        return false;
    lido__near_last = near;
    return true;
}

void lido__near_hang(uint64_t id, struct lido__near *near, const void *owner) {
    struct lido__near **chain = &lido__thread_self->near[id % LIDO__NEAR_CHAINS];
    lido__store(&near->owner, owner, relaxed); /* read by this thread, or under the lock */
    near->next = *chain;
    *chain = near;
}

void lido__near_forget(struct lido__near *near) {
    lido__store(&near->owner, NULL, relaxed); /* under the lock, as its readers */
    lido__store(&near->open, NULL, relaxed);  /* who still reads it uses what has ended */
}

/* What the thread has near leaves it. Returns a list of it, with an owner where `leave` ran. */
static struct lido__near *leave_all(struct lido__thread *thread) {
    struct lido__near *left = NULL;
    enum lido__near_end end = thread == lido__thread_self ? LIDO__NEAR_ENDS : LIDO__NEAR_VANISHED;
    lido__lock(&lido__near_lock);
    for (int i = 0; i < LIDO__NEAR_CHAINS; i++)
        while (thread->near[i] != &lido__near_none) {
            struct lido__near *near = thread->near[i];
            thread->near[i] = near->next;
            near->next = left;
            left = near;
            /* Relaxed: forget happens under this lock. */
            if (lido__load(&near->owner, relaxed))
                near->leave(near, end);
        }
    lido__unlock(&lido__near_lock);
    return left;
}

/* The application may be called after the first round, and make stores anew. */
static void at_thread_exit(struct lido__thread *thread) {
    struct lido__near *left;
    while ((left = leave_all(thread)) != NULL) {
        for (struct lido__near *near = left; near; near = near->next)
            if (lido__load(&near->owner, relaxed)) /* it is in no list any more */
                near->leave(near, LIDO__NEAR_LEFT);
        free_all(left);
    }
}

static void take_lock(void) {
    lido__lock(&lido__near_lock);
}

static void leave_lock(void) {
    lido__unlock(&lido__near_lock);
}

lido_status lido__near_prepare(void) {
    static struct lido__fork_client client = {
        .prepare = take_lock, .parent = leave_lock, .child = leave_lock, .order = LIDO__FORK_NEAR};
    lido__thread_on_exit(at_thread_exit);
    return lido__fork_register(&client);
}
