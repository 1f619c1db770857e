/* SPDX-License-Identifier: MIT
 * scaling_lido.c -- lido's locks and dense pools as contestants, profiling on as always. */
#include <lido/dense_pool.h>
#include <lido/lock.h>

typedef lido_mutex peer_mutex;
typedef lido_rwlock peer_rwlock;
#include "../scaling_work.h"

static inline void need(lido_status status) {
    if (status != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static inline void peer_lock(peer_mutex *mutex) {
    need(lido_mutex_lock(mutex));
}

static inline void peer_unlock(peer_mutex *mutex) {
    need(lido_mutex_unlock(mutex));
}

static inline void peer_read_lock(peer_rwlock *lock) {
    need(lido_rwlock_read(lock, LIDO_FOREVER));
}

static inline void peer_read_unlock(peer_rwlock *lock) {
    need(lido_rwlock_unlock(lock));
}

static void *peer_pool(void) {
    lido_dense_pool *pool;
    need(lido_dense_pool_create(LIDO_DENSE_POOL_OPTIONS(.name = "bench",
                                                        .object_bytes = OBJECT_BYTES,
                                                        .ready_count = OBJECTS),
                                &pool));
    return pool;
}

static inline void peer_fill_and_empty(void *pool) {
    lido_dense_handle handles[OBJECTS];
    for (int i = 0; i < OBJECTS; i++) {
        uint64_t *object = lido_dense_pool_acquire(pool, &handles[i]);
        *object = (uint64_t)i;
    }
    for (int i = 0; i < OBJECTS; i++)
        need(lido_dense_pool_release(pool, handles[i]));
}

static void peer_version(void) {
    printf("lido %s\n", lido_version());
}
