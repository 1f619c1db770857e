/* SPDX-License-Identifier: MIT
 * ring_ck.c -- Concurrency Kit's ck_ring, inlined: its form for many producers and consumers, and the
 * one for one of each. It has no bulk. */
#include "../ring_work.h"

#include <ck_md.h>
#include <ck_ring.h>

static ck_ring_t ring;
static ck_ring_buffer_t *buffer;
static bool is_single;

static void peer_open(unsigned slots, bool single) {
    buffer = calloc(slots, sizeof *buffer);
    if (!buffer)
        worker_fail("no memory");
    ck_ring_init(&ring, slots);
    is_single = single;
}

static inline bool peer_put(void *item) {
    return is_single ? ck_ring_enqueue_spsc(&ring, buffer, item)
                     : ck_ring_enqueue_mpmc(&ring, buffer, item);
}

static inline bool peer_get(void **item) {
    return is_single ? ck_ring_dequeue_spsc(&ring, buffer, item)
                     : ck_ring_dequeue_mpmc(&ring, buffer, item);
}

static inline unsigned peer_put_many(void **items, unsigned count) {
    (void)items, (void)count;
    exit(WORKER_CANNOT);
}

static inline unsigned peer_get_many(void **items, unsigned count) {
    (void)items, (void)count;
    exit(WORKER_CANNOT);
}

static void peer_version(void) {
    printf("ck_ring, Concurrency Kit\n");
}
