/* SPDX-License-Identifier: MIT
 * block_tcmalloc.c -- gperftools' tcmalloc linked statically, sized release. */
#include "../block_work.h"

#include <gperftools/malloc_extension_c.h>
#include <gperftools/tcmalloc.h>

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)bytes, (void)count, (void)hasten;
}

static void peer_join(void) {}

static inline void *peer_get(void) {
    void *block = tc_malloc(block_bytes);
    if (!block)
        worker_fail("tc_malloc failed");
    return block;
}

static inline void peer_put(void *block) {
    tc_free_sized(block, block_bytes);
}

static bool peer_trim(void) {
    MallocExtension_ReleaseFreeMemory();
    return true;
}

static void peer_version(void) {
    printf("tcmalloc %s\n", tc_version(NULL, NULL, NULL));
}
