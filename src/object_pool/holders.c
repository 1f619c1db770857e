/* SPDX-License-Identifier: MIT
 * Who holds what, and the figures: everything that reads a pool. Slots are read while they change
 * hands; a slot whose turn moved meanwhile is read again or left out. */
#include "object_pool/internal.h"

#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "lease/sizing.h"

#include <string.h>

/* Racing calls may leave the tick some milliseconds behind a slot's: within a minute that is no age. */
enum { SITES = 8, BEHIND_TICKS = 60000 };

/* Copies what a slot says of its holder; false: nobody holds it, or it changed hands just now. */
bool lido__object_pool_read_holder(struct lido_object_pool *pool, uint32_t slot,
                                   struct lido__holder *holder) {
    struct lido__slot *at = lido__slot_at(&pool->leases, slot);
    uint32_t turn = lido__turn_of(
        lido__load(&at->name, acquire)); /* pairs with the release in lido__lease_write */
    if ((turn & 1) == 0)
        return false;
    holder->turn = turn;
    holder->object = lido__load(&at->object, relaxed);
    holder->site = lido__load(&at->site, relaxed);
    holder->thread_id = lido__load(&at->thread_id, relaxed);
    uint32_t age = lido__load(&lido__tick, relaxed) - lido__load(&at->tick, relaxed);
    holder->ticks = age > UINT32_MAX - BEHIND_TICKS ? 0 : age;
    return lido__turn_of(lido__load(&at->name, relaxed)) == turn;
}

uint32_t lido__object_pool_count_slots(struct lido_object_pool *pool) {
    lido__lock(&pool->leases.lock);
    uint32_t count = lido__slot_bound(&pool->leases);
    lido__unlock(&pool->leases.lock);
    return count;
}

/* Held objects by line; lines beyond the first seven count together. */
struct summary {
    const char *site;
    uint64_t count, thread_id, ticks;
};

static void sum_up(struct lido_object_pool *pool, struct summary sites[SITES]) {
    uint32_t slots = lido__object_pool_count_slots(pool);
    for (uint32_t slot = 0; slot < slots; slot++) {
        struct lido__holder holder;
        int at = 0;
        if (!lido__object_pool_read_holder(pool, slot, &holder))
            continue;
        while (at < SITES - 1 && sites[at].count && sites[at].site != holder.site)
            at++;
        if (sites[at].count++ == 0 || holder.ticks > sites[at].ticks) {
            sites[at].site = holder.site;
            sites[at].thread_id = holder.thread_id;
            sites[at].ticks = holder.ticks;
        }
    }
}

/* The place of the largest count, leaving one out. */
static int find_most(const struct summary sites[SITES], int without) {
    int most = without == 0 ? 1 : 0;
    for (int i = 0; i < SITES; i++)
        if (i != without && sites[i].count > sites[most].count)
            most = i;
    return most;
}

lido_status lido__object_pool_fail(struct lido_object_pool *pool, lido_status status,
                                   const char *format) {
    struct summary sites[SITES] = {{0}};
    lido__tick_advance();
    sum_up(pool, sites);
    uint64_t live = 0;
    for (int i = 0; i < SITES; i++)
        live += sites[i].count;
    lido__lock(&pool->leases.lock);
    uint64_t limit = pool->leases.limit;
    lido__unlock(&pool->leases.lock);
    const struct summary *most = &sites[find_most(sites, -1)];
    const struct summary *second = &sites[find_most(sites, (int)(most - sites))];
    return LIDO__FAIL(status, format,
                      .word = {pool->resource.info.name, live ? most->site : "nowhere",
                               second->count ? second->site : "other lines"},
                      .number = {live, limit, most->count, most->thread_id,
                                 most->ticks * (uint64_t)LIDO__TICK_NS, second->count});
}

bool lido_object_pool_next_holder(const lido_object_pool *constant, uint64_t first,
                                  lido_object_pool_holder *holder) {
    lido_object_pool *pool = (lido_object_pool *)(uintptr_t)constant;
    lido_object_pool_holder found = {.struct_size = sizeof found};
    struct lido__holder read;
    uint64_t slots = lido__object_pool_count_slots(pool);
    lido__tick_advance();
    while (first < slots && !lido__object_pool_read_holder(pool, (uint32_t)first, &read))
        first++;
    if (first >= slots)
        return false;
    found.slot = first;
    found.thread_id = read.thread_id;
    found.held_ns = read.ticks * (uint64_t)LIDO__TICK_NS;
    found.object = read.object;
    found.site = read.site;
    return lido__figures_write(holder, &found, sizeof found, "lido_object_pool_holder") == LIDO_OK;
}

static uint64_t overhead(const struct lido_object_pool *pool) {
    uint64_t bytes = sizeof *pool + pool->leases.store_count * sizeof(struct lido__lease_store) +
                     lido__slot_bound(&pool->leases) * sizeof(struct lido__slot) +
                     (pool->leases.sizing ? sizeof *pool->leases.sizing : 0);
    /* The last one has no room: all pools share it. */
    for (const struct lido__directory *directory = lido__load(&pool->leases.directory, relaxed);
         directory->capacity > 0; directory = directory->older)
        bytes += lido__directory_bytes(directory->capacity);
    return bytes;
}

lido_status lido_object_pool_read_stats(const lido_object_pool *constant,
                                        lido_object_pool_stats *stats) {
    lido_object_pool *pool = (lido_object_pool *)(uintptr_t)constant;
    const struct lido__lease_counts *count = &pool->leases.count;
    lido_object_pool_stats s = {.struct_size = sizeof s};
    lido__tick_advance();
    uint64_t book_bytes = lido__leak_book_bytes(pool);
    struct lido__lease_sums sums = lido__lease_sum(&pool->leases);
    s.acquired = sums.acquired;
    s.released = sums.released;
    s.discarded = sums.discarded;
    s.live = sums.live;
    s.idle = sums.idle;
    s.existing = sums.existing;
    s.retired = sums.retired;
    lido__lock(&pool->leases.lock);
    s.live_peak = count->live_peak;
    s.created = pool->count.created;
    s.destroyed = pool->count.destroyed;
    s.lost = count->lost;
    s.waiting = pool->leases.waiting;
    s.waits = count->waits;
    s.wait_total_ns = count->wait_total_ns;
    s.wait_max_ns = count->wait_max_ns;
    s.timeouts = count->timeouts;
    s.create_failed = pool->count.create_failed;
    s.validate_failed = pool->count.validate_failed;
    s.reset_failed = pool->count.reset_failed;
    s.refused_release = count->refused_release;
    s.object_limit = pool->leases.limit_max;
    s.size = pool->leases.limit;
    s.resized = pool->leases.sizing ? pool->leases.sizing->decision_count : 0;
    s.overhead_bytes = overhead(pool) + book_bytes;
    lido__unlock(&pool->leases.lock);
    s.reuse = s.acquired > s.created ? 1 - (double)s.created / (double)s.acquired
              : s.acquired           ? 0
                                     : 1;
    return lido__figures_write(stats, &s, sizeof s, "lido_object_pool_stats");
}
