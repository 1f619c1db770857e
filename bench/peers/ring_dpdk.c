/* SPDX-License-Identifier: MIT
 * ring_dpdk.c -- DPDK's rte_ring in memory of its own; its mode by -DRING_FLAGS, its calls inlined. */
#include "../ring_work.h"

#include <rte_errno.h>
#include <rte_ring.h>
#include <rte_version.h>

static struct rte_ring *ring;

static void peer_open(unsigned slots, bool single) {
    ssize_t bytes = rte_ring_get_memsize(slots);
    unsigned flags = single ? RING_F_SP_ENQ | RING_F_SC_DEQ : RING_FLAGS;
    if (bytes < 0 || posix_memalign((void **)&ring, 128, (size_t)bytes) != 0)
        worker_fail("no memory");
    if (rte_ring_init(ring, "bench", slots, flags) != 0)
        worker_fail("rte_ring_init failed");
}

static inline bool peer_put(void *item) {
    return rte_ring_enqueue(ring, item) == 0;
}

static inline bool peer_get(void **item) {
    return rte_ring_dequeue(ring, item) == 0;
}

static inline unsigned peer_put_many(void **items, unsigned count) {
    return rte_ring_enqueue_burst(ring, items, count, NULL);
}

static inline unsigned peer_get_many(void **items, unsigned count) {
    return rte_ring_dequeue_burst(ring, items, count, NULL);
}

static void peer_version(void) {
    printf("%s\n", rte_version());
}
