/* SPDX-License-Identifier: MIT
 * lock_lido_rwlock.c -- lido_rwlock as a contestant, profiling on as always. */
#include <lido/lock.h>

#define PEER_SHARES
#include "../lock_work.h"

static lido_rwlock lock = LIDO_RWLOCK_INIT("bench");

static inline void peer_lock(void) {
    if (lido_rwlock_write(&lock, LIDO_FOREVER) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static inline void peer_share(void) {
    if (lido_rwlock_read(&lock, LIDO_FOREVER) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static inline void peer_unlock(void) {
    if (lido_rwlock_unlock(&lock) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static void peer_version(void) {
    printf("lido %s\n", lido_version());
}
