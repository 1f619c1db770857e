/* SPDX-License-Identifier: MIT
 * scaling_pthread.c -- the locks of the C library, unprofiled; and what people have in place of a
 * dense pool: malloc and free. All zero is an unlocked lock of glibc's. */
#include <gnu/libc-version.h>
#include <pthread.h>
#include <stdlib.h>

typedef pthread_mutex_t peer_mutex;
typedef pthread_rwlock_t peer_rwlock;
#include "../scaling_work.h"

static inline void peer_lock(peer_mutex *mutex) {
    pthread_mutex_lock(mutex);
}

static inline void peer_unlock(peer_mutex *mutex) {
    pthread_mutex_unlock(mutex);
}

static inline void peer_read_lock(peer_rwlock *lock) {
    pthread_rwlock_rdlock(lock);
}

static inline void peer_read_unlock(peer_rwlock *lock) {
    pthread_rwlock_unlock(lock);
}

static void *peer_pool(void) {
    return NULL;
}

static inline void peer_fill_and_empty(void *pool) {
    uint64_t *objects[OBJECTS];
    (void)pool;
    for (int i = 0; i < OBJECTS; i++) {
        objects[i] = malloc(OBJECT_BYTES);
        if (!objects[i])
            worker_fail("malloc failed");
        *objects[i] = (uint64_t)i;
    }
    for (int i = 0; i < OBJECTS; i++)
        free(objects[i]);
}

static void peer_version(void) {
    printf("glibc %s\n", gnu_get_libc_version());
}
