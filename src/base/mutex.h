/* SPDX-License-Identifier: MIT
 * The lock that lido itself takes: held for a few instructions, never over a callback, a log
 * record, I/O or malloc. One name, so that what is under it can change in one place.
 *
 * Lock order, outermost first: fork -> near -> registry -> a resource's own lock -> threads -> log. */
#ifndef LIDO_SRC_BASE_MUTEX_H
#define LIDO_SRC_BASE_MUTEX_H

#include "base/atomic.h"

#ifndef LIDO_ATOMIC_EXPLORE

#include <pthread.h>

typedef pthread_mutex_t lido__mutex;

#define LIDO__MUTEX_INIT PTHREAD_MUTEX_INITIALIZER

static inline void lido__mutex_init(lido__mutex *mutex) {
    *mutex = (lido__mutex)LIDO__MUTEX_INIT;
}

static inline void lido__lock(lido__mutex *mutex) {
    (void)pthread_mutex_lock(mutex);
}

static inline void lido__unlock(lido__mutex *mutex) {
    (void)pthread_mutex_unlock(mutex);
}

#endif /* otherwise the explorer has defined them */
#endif
