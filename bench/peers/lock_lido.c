/* SPDX-License-Identifier: MIT
 * lock_lido.c -- lido_mutex as a contestant, profiling on as always. */
#include <lido/lock.h>

#include "../lock_work.h"

static lido_mutex mutex = LIDO_MUTEX_INIT("bench");

static inline void peer_lock(void) {
    if (lido_mutex_lock(&mutex) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static inline void peer_unlock(void) {
    if (lido_mutex_unlock(&mutex) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static void peer_version(void) {
    printf("lido %s\n", lido_version());
}
