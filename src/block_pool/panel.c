/* SPDX-License-Identifier: MIT
 * The panel of a block pool: its figures and its knobs, each told once, over the public calls. */
#include "block_pool/panel.h"

#include "registry/dials.h"

#include <lido/block_figures.h>

/* Figures of lido_block_pool_stats: name, kind, unit, sentence. */
#define FIGURES(F)                                                                                 \
    F(acquired, COUNTER, COUNT, "Blocks handed out since creation.")                               \
    F(released, COUNTER, COUNT, "Blocks given back since creation.")                               \
    F(live, GAUGE, COUNT, "Blocks out now.")                                                       \
    F(live_peak, GAUGE, COUNT, "The most blocks that were out at once.")                           \
    F(existing, GAUGE, COUNT, "Blocks out, or free in the pool's memory.")                         \
    F(made, COUNTER, COUNT, "Blocks made since creation.")                                         \
    F(cached, GAUGE, COUNT, "Free blocks in caches, at hand without looking into a slab.")         \
    F(stranded, GAUGE, COUNT, "Free blocks in slabs that blocks in use keep from going back.")     \
    F(idle, GAUGE, COUNT, "Free blocks in empty slabs, which can go back to the system.")          \
    F(draining, GAUGE, COUNT, "Slabs that hand out nothing, until survivors of a peak have left.") \
    F(refused_limit, COUNTER, COUNT, "Acquires refused at block_limit.")                           \
    F(refused_memory, COUNTER, COUNT, "Acquires refused for lack of memory.")                      \
    F(refused_release, COUNTER, COUNT, "Releases refused: twice, or foreign.")                     \
    F(committed_bytes, GAUGE, BYTES, "Memory held for blocks.")                                    \
    F(overhead_bytes, GAUGE, BYTES, "Memory held for book-keeping.")                               \
    F(committed_peak, GAUGE, BYTES, "The most memory ever held for blocks.")

#define SHARES(S)                                                                                  \
    S(utilisation, "Blocks out of those that exist.")                                              \
    S(byte_efficiency, "Bytes in use of those held, book-keeping included.")                       \
    S(reuse, "Share of acquires served without making a block.")                                   \
    S(fragmentation, "Share of committed bytes that trim could give back and has not yet.")

#define SETTINGS(K)                                                                                \
    K(block_size, FIXED, BYTES, 1, UINT64_C(1) << 30, 0, "The size of every block.")               \
    K(block_limit, KNOB, COUNT, 0, UINT64_MAX, 0, "Blocks that may be out at once; 0: no limit.")  \
    K(coalesce_percent, KNOB, COUNT, 1, 100, 20,                                                   \
      "The pool coalesces by itself when more of its memory is unused, in percent.")

static const lido_dial dials[] = {FIGURES(LIDO__FIGURE) SHARES(LIDO__SHARE) SETTINGS(LIDO__DIAL)};

enum { FIGURES(LIDO__AT) SHARES(LIDO__AT) SETTINGS(LIDO__AT) PLACES };

static void read_panel(void *context, uint64_t values[]) {
    const lido_block_pool *pool = context;
    lido_block_pool_stats s = {.struct_size = sizeof s};
    (void)lido_block_pool_read_stats(pool, &s);
    FIGURES(LIDO__VALUE)
    SHARES(LIDO__SHARE_VALUE)
    values[AT_block_size] = lido_block_pool_block_size(pool);
    values[AT_block_limit] = s.block_limit;
    values[AT_coalesce_percent] = s.coalesce_percent;
}

static int apply_panel(void *context, const uint64_t values[], uint64_t changed) {
    lido_status status = LIDO_OK;
    if (changed & UINT64_C(1) << AT_block_limit)
        status = lido_block_pool_set_block_limit(context, values[AT_block_limit]);
    if (status == LIDO_OK && (changed & UINT64_C(1) << AT_coalesce_percent))
        status = lido_block_pool_set_coalesce_percent(context, values[AT_coalesce_percent]);
    return status;
}

const lido_panel lido__block_pool_panel = LIDO__PANEL("block_pool", read_panel, apply_panel);
