/* SPDX-License-Identifier: MIT
 * ring_mutex.c -- what people write by hand: an array, two numbers and a mutex. */
#include "../ring_work.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *items[RING_SLOTS];
static unsigned head, tail;

static void peer_open(unsigned slots, bool single) {
    (void)slots, (void)single; /* RING_SLOTS, and one form for all */
}

static inline unsigned peer_put_many(void **from, unsigned count) {
    unsigned moved = 0;
    pthread_mutex_lock(&lock);
    for (; moved < count && tail - head < RING_SLOTS; moved++)
        items[tail++ % RING_SLOTS] = from[moved];
    pthread_mutex_unlock(&lock);
    return moved;
}

static inline unsigned peer_get_many(void **to, unsigned count) {
    unsigned moved = 0;
    pthread_mutex_lock(&lock);
    for (; moved < count && tail != head; moved++)
        to[moved] = items[head++ % RING_SLOTS];
    pthread_mutex_unlock(&lock);
    return moved;
}

static inline bool peer_put(void *item) {
    return peer_put_many(&item, 1) == 1;
}

static inline bool peer_get(void **item) {
    return peer_get_many(item, 1) == 1;
}

static void peer_version(void) {
    printf("mutex ring\n");
}
