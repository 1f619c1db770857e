/* SPDX-License-Identifier: MIT
 * What lido keeps for each thread: one pointer of thread-local storage leads to it.
 *
 *      lido__thread_self --> record { slot, id, last failure, stores of the capabilities }
 *
 * A thread gets its record at its first call that needs one, and a dense slot number with it (the
 * smallest that is free). At its end, and in the child of a fork for each thread that is not there
 * any more, the exit calls run, then the record is freed. A destructor of the application that
 * uses lido after that gets a new record, which ends the same way.
 *
 * Lock: one for the list. Exit calls run without it. */
#ifndef LIDO_SRC_BASE_THREAD_H
#define LIDO_SRC_BASE_THREAD_H

#include "base/status.h"

struct lido__thread {
    struct lido__thread *next; /* by slot; guarded by the list's lock */
    uint64_t id;               /* as the kernel counts */
    uint32_t slot;
    struct lido__failure failure;
};

/* This thread's record; NULL before its first use. Never use it directly: lido__thread(). */
extern _Thread_local struct lido__thread *lido__thread_self
    __attribute__((tls_model("initial-exec")));

/* Gives this thread a record. NULL when there is no memory for one. */
struct lido__thread *lido__thread_attach(void);

static inline struct lido__thread *lido__thread(void) {
    struct lido__thread *self = lido__thread_self;
    return __builtin_expect(self != NULL, 1) ? self : lido__thread_attach();
}

/* Registers a call that gives back what a capability keeps in the record of an ending thread; it
 * runs in that thread, or in the only thread of a forked child. Registering twice is registering
 * once. At most 8 capabilities. */
typedef void (*lido__thread_exit_call)(struct lido__thread *thread);
void lido__thread_on_exit(lido__thread_exit_call call);

/* This thread's kernel id, from the record where there is one. */
uint64_t lido__thread_id(void);

#endif
