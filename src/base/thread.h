/* SPDX-License-Identifier: MIT
 * What lido keeps for each thread: two pointers of thread-local storage lead to it.
 *
 *      lido__thread_self --> record { slot, id, last failure, stores of the capabilities }
 *      lido__near_last --> the store of them that was used last
 *
 * A thread gets its record at its first call that needs one, and a dense slot number with it (the
 * smallest that is free). At its end, and in the child of a fork for each thread that is not there
 * any more, the exit calls run, then the record is freed. A destructor of the application that
 * uses lido after that gets a new record, which ends the same way.
 *
 * Lock: one for the list. Exit calls run without it. */
#ifndef LIDO_SRC_BASE_THREAD_H
#define LIDO_SRC_BASE_THREAD_H

#include "base/atomic.h"
#include "base/status.h"

enum lido__near_end {
    LIDO__NEAR_ENDS,     /* its thread ends */
    LIDO__NEAR_VANISHED, /* its thread was not taken along by a fork */
    LIDO__NEAR_LEFT      /* after either, without lido__near_lock: the resource may have ended */
};

/* What a capability keeps for one of its resources in one thread begins like this: see near.h. */
struct lido__near {
    _Atomic(const void *) owner; /* the resource; NULL when that has ended */
    _Atomic(const void *) open;  /* the resource, or not, for fast paths that look there */
    struct lido__near *next;     /* the owning thread's alone, as are the heads */
    void (*leave)(struct lido__near *near, enum lido__near_end end);
};

enum { LIDO__NEAR_CHAINS = 64 };

struct lido__thread {
    struct lido__near *near[LIDO__NEAR_CHAINS + 1]; /* the last one always ends at once */
    struct lido__thread *next;                      /* by slot; guarded by the list's lock */
    uint64_t id;                                    /* as the kernel counts */
    uint32_t slot;
    struct lido__failure failure;
};

/* The end of every chain, and the record of a thread that has none: fast paths need no NULL check,
 * for they find nothing there. Neither is ever written. */
extern struct lido__near lido__near_none;
extern struct lido__thread lido__thread_none;

/* This thread's record; lido__thread_none before its first use. */
extern _Thread_local struct lido__thread *lido__thread_self
    __attribute__((tls_model("initial-exec")));

/* The store that this thread's fast paths look at: one load away, where the way by the record and a
 * chain is three, each of which waits for the one before. Slow paths write it, and near.c when it frees
 * stores; lido__near_none when there is none. */
extern _Thread_local struct lido__near *lido__near_last __attribute__((tls_model("initial-exec")));

/* The same for stores of leases: who uses blocks and objects by turns has both. */
extern _Thread_local struct lido__near *lido__near_lease __attribute__((tls_model("initial-exec")));

static inline bool lido__thread_is_known(void) {
    return lido__thread_self != &lido__thread_none;
}

/* Gives this thread a record. NULL when there is no memory for one. */
struct lido__thread *lido__thread_attach(void);

static inline struct lido__thread *lido__thread(void) {
    struct lido__thread *self = lido__thread_self;
    return __builtin_expect(self != &lido__thread_none, 1) ? self : lido__thread_attach();
}

/* Registers a call that gives back what a capability keeps in the record of an ending thread; it
 * runs in that thread, or in the only thread of a forked child. Registering twice is registering
 * once. At most 8 capabilities. */
typedef void (*lido__thread_exit_call)(struct lido__thread *thread);
void lido__thread_on_exit(lido__thread_exit_call call);

/* This thread's kernel id, from the record where there is one. */
uint64_t lido__thread_id(void);

#endif
