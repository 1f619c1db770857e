/* SPDX-License-Identifier: MIT
 * ring_lido.c -- lido's ring as a contestant, by its try_ calls. */
#include "../ring_work.h"

#include <lido/ring.h>

static lido_ring *ring;

static void peer_open(unsigned slots, bool single) {
    (void)single; /* there is but one form */
    if (lido_ring_create(LIDO_RING_OPTIONS(.name = "bench", .capacity = slots), &ring) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static inline bool peer_put(void *item) {
    return lido_ring_try_insert(ring, item) == LIDO_OK;
}

static inline bool peer_get(void **item) {
    return lido_ring_try_remove(ring, item) == LIDO_OK;
}

static inline unsigned peer_put_many(void **items, unsigned count) {
    return (unsigned)lido_ring_try_insert_many(ring, count, items);
}

static inline unsigned peer_get_many(void **items, unsigned count) {
    return (unsigned)lido_ring_try_remove_many(ring, count, items);
}

static void peer_version(void) {
    printf("lido %s\n", lido_version());
}
