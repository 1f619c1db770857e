/* SPDX-License-Identifier: MIT
 * lock_rwlock.c -- the read-write lock of the C library. */
#define PEER_SHARES
#include "../lock_work.h"

#include <gnu/libc-version.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static inline void peer_lock(void) {
    pthread_rwlock_wrlock(&lock);
}

static inline void peer_share(void) {
    pthread_rwlock_rdlock(&lock);
}

static inline void peer_unlock(void) {
    pthread_rwlock_unlock(&lock);
}

static void peer_version(void) {
    printf("glibc %s\n", gnu_get_libc_version());
}
