/* SPDX-License-Identifier: MIT
 * block_dpdk.c -- DPDK's rte_mempool, a cache of 256 objects a thread, its inlined calls; memory
 * without huge pages, so that it runs where nothing was prepared. Its objects are all made at the
 * start, so it has nothing to trim. */
#define PEER_HAS_SECOND
#include "../block_work.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>
#include <rte_version.h>

static struct rte_mempool *pool, *second;

static struct rte_mempool *make_pool(const char *name, unsigned bytes, unsigned count) {
    struct rte_mempool *made =
        rte_mempool_create(name, count, bytes, 256, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY, 0);
    if (!made)
        worker_fail("rte_mempool_create: %s", rte_strerror(rte_errno));
    return made;
}

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)hasten;
    char line[200];
    char *words[16];
    int word_count = 0;
    snprintf(line, sizeof line,
             "bench --no-huge --no-pci --no-telemetry --no-shconf --iova-mode=va --log-level=error "
             "-c 1 -m %llu",
             (unsigned long long)(64 + 4 * count * (bytes + 256) / 1048576));
    for (char *rest = line, *word; (word = strtok_r(rest, " ", &rest));)
        words[word_count++] = word;
    if (rte_eal_init(word_count, words) < 0)
        worker_fail("rte_eal_init: %s", rte_strerror(rte_errno));
    pool = make_pool("bench", (unsigned)bytes, (unsigned)count * 2 - 1);
    second = make_pool("second", (unsigned)bytes, (unsigned)count * 2 - 1);
}

static void peer_join(void) {
    if (rte_thread_register() != 0)
        worker_fail("rte_thread_register: %s", rte_strerror(rte_errno));
}

static inline void *get_from(struct rte_mempool *from) {
    void *block;
    if (rte_mempool_get(from, &block) != 0)
        worker_fail("rte_mempool_get: empty");
    return block;
}

static inline void *peer_get(void) {
    return get_from(pool);
}

static inline void peer_put(void *block) {
    rte_mempool_put(pool, block);
}

static inline void *peer_get_second(void) {
    return get_from(second);
}

static inline void peer_put_second(void *block) {
    rte_mempool_put(second, block);
}

static bool peer_trim(void) {
    return false;
}

static void peer_version(void) {
    printf("%s\n", rte_version());
}
