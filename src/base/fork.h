/* SPDX-License-Identifier: MIT
 * fork() while other threads are at work: before it, lido takes all its locks in order; after it,
 * parent and child let them go, and the child forgets what belonged to threads that it has not.
 *
 * A child starts with consistent pools, because every change of theirs happens under a lock. */
#ifndef LIDO_SRC_BASE_FORK_H
#define LIDO_SRC_BASE_FORK_H

#include "base/atomic.h"

#include <lido/base.h>

struct lido__fork_client {
    void (*prepare)(void); /* take the locks */
    void (*parent)(void);  /* let them go */
    void (*child)(void);   /* mend what vanished threads left, and let them go */
    void (*settle)(void);  /* in the child, when every lock of lido is free again; NULL: nothing */
    struct lido__fork_client *next;
    int order; /* prepared from low to high, as locks are */
    _Atomic(bool) listed;
};

/* Lists a client for good; a second time does nothing, at the price of a load.
 *
 * Whatever locks a client's lock has listed the client before: a lock taken earlier, by a thread
 * that the child does not have, would stay taken there for ever.
 *
 * lido__fork_register answers with a status, SYSTEM where the handlers cannot be installed;
 * lido__fork_enter with an errno or 0, for those who can only go on without. */
lido_status lido__fork_register(struct lido__fork_client *client);
int lido__fork_enter(struct lido__fork_client *client);

/* In child(): the kernel's id, in the parent, of the thread that forked. */
uint64_t lido__fork_parent_id(void);

/* In the order of locks. */
enum {
    LIDO__FORK_NEAR = 1,
    LIDO__FORK_WAITING,
    LIDO__FORK_REGISTRY,
    LIDO__FORK_EXTENTS, /* memory that all block pools share */
    LIDO__FORK_THREADS,
    LIDO__FORK_FIGURES,
    LIDO__FORK_LOG
};

#endif
