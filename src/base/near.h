/* SPDX-License-Identifier: MIT
 * What threads keep near for resources: a thread's stores hang on its record in chains, the store
 * of a resource on the chain of the resource's id. A fast path looks at the head of that chain
 * only; the slow path finds the store behind it and brings it to the front.
 *
 *      record --> near[id % 64] --> store of this resource --> store of another --> none
 *
 *      lido__near_last --> the one that was used last, for clients that look there first
 *      lido__near_lease    the same of leases, who find it by themselves
 *
 * A store begins with struct lido__near, is allocated by lido__sys.alloc, and belongs to its
 * thread: a resource that ends makes its stores forget it, and their threads free them, at the
 * next search of the chain or at their end. At a thread's end (and in a forked child, for threads
 * that are not there) `leave` is called for each store whose resource lives: it gives all back. It
 * is called once more when the lock is free (LEFT), for what may call the application.
 *
 * Lock: lido__near_lock keeps a resource alive while a thread leaves it, and chains whole for a
 * fork: it copies page by page while others go on, so in the child only what changes under a lock
 * that fork takes can be trusted. It is outside of a resource's own lock. */
#ifndef LIDO_SRC_BASE_NEAR_H
#define LIDO_SRC_BASE_NEAR_H

#include "base/mutex.h"
#include "base/thread.h"

extern lido__mutex lido__near_lock;

/* To be called before a resource may have stores.
 *
 * Errors   SYSTEM */
lido_status lido__near_prepare(void);

/* This thread's store of the resource, now at the head of its chain; NULL: it has none. Frees
 * stores of ended resources on the way. */
struct lido__near *lido__near_find(uint64_t id, const void *owner);

/* Makes this thread's store of the resource, if it is at the head of its chain, the one used last.
 * False: it is not there, or was the last one already. */
bool lido__near_recall(uint64_t id, const void *owner);

/* With lido__near_lock held, under which the resource lists the store too, so that a fork finds
 * both or neither: hangs a store at the head of this thread's chain. The thread has a record. */
void lido__near_hang(uint64_t id, struct lido__near *near, const void *owner);

/* With lido__near_lock held: the store's resource ends. The thread may free the store from now on. */
void lido__near_forget(struct lido__near *near);

#endif
