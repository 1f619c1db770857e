/* SPDX-License-Identifier: MIT
 * lock_pthread.c -- the mutex of the C library, unprofiled. */
#include "../lock_work.h"

#include <gnu/libc-version.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static inline void peer_lock(void) {
    pthread_mutex_lock(&mutex);
}

static inline void peer_unlock(void) {
    pthread_mutex_unlock(&mutex);
}

static void peer_version(void) {
    printf("glibc %s\n", gnu_get_libc_version());
}
