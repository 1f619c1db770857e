/* SPDX-License-Identifier: MIT
 * The panel of an object pool: its figures and its knobs, each told once. */
#include "object_pool/internal.h"

#include "base/status.h"

#include <stddef.h>

/* Figures of lido_object_pool_stats: name, kind, unit, sentence. */
#define FIGURES(F)                                                                                 \
    F(acquired, COUNTER, COUNT, "Leases handed out since creation.")                               \
    F(released, COUNTER, COUNT, "Leases given back since creation.")                               \
    F(discarded, COUNTER, COUNT, "Leases given back with an object that nobody should get again.") \
    F(live, GAUGE, COUNT, "Leases out now.")                                                       \
    F(live_peak, GAUGE, COUNT, "The most leases seen out at once.")                                \
    F(idle, GAUGE, COUNT, "Objects ready to be handed out.")                                       \
    F(existing, GAUGE, COUNT, "Objects that exist, or are being built or ended.")                  \
    F(created, COUNTER, COUNT, "Objects built since creation of the pool.")                        \
    F(destroyed, COUNTER, COUNT, "Objects ended since creation of the pool.")                      \
    F(lost, COUNTER, COUNT,                                                                        \
      "Objects given up: held by another thread at fork, or left by a "                            \
      "callback that did not come back.")                                                          \
    F(waiting, GAUGE, COUNT, "Threads that wait for an object now.")                               \
    F(waits, COUNTER, COUNT, "Acquires that had to wait.")                                         \
    F(wait_total_ns, COUNTER, NS, "Time that acquires waited, in all.")                            \
    F(wait_max_ns, GAUGE, NS, "The longest wait of an acquire.")                                   \
    F(timeouts, COUNTER, COUNT, "Acquires refused because nothing was free in time.")              \
    F(create_failed, COUNTER, COUNT, "Objects that create did not build.")                         \
    F(validate_failed, COUNTER, COUNT, "Objects that validate turned down.")                       \
    F(reset_failed, COUNTER, COUNT, "Objects that reset turned down.")                             \
    F(refused_release, COUNTER, COUNT, "Releases refused: twice, stale, or of another pool.")      \
    F(overhead_bytes, GAUGE, BYTES, "Memory held for book-keeping.")

/* Knobs: name, unit, low, high, initial, sentence. */
#define KNOBS(K)                                                                                   \
    K(object_limit, COUNT, 1, LIDO__OBJECT_LIMIT_MAX, 0, "Objects that may exist at once.")        \
    K(waiter_limit, COUNT, 0, UINT64_MAX, 0, "Threads that may wait at once; 0: no limit.")        \
    K(overtake_limit, COUNT, 1, LIDO__OVERTAKE_LIMIT_MAX, LIDO__OVERTAKE_LIMIT,                    \
      "How often a waiter may be passed before objects go to it directly; for bounded order.")

#define FIGURE_ROW(name, kind, unit, about)                                                        \
    {#name, about, LIDO_DIAL_##kind, LIDO_UNIT_##unit, 0, 0, 0},
#define KNOB_ROW(name, unit, low, high, initial, about)                                            \
    {#name, about, LIDO_DIAL_KNOB, LIDO_UNIT_##unit, low, high, initial},
#define FIGURE_PLACE(name, kind, unit, about)             AT_##name,
#define KNOB_PLACE(name, unit, low, high, initial, about) AT_##name,

static const lido_dial dials[] = {FIGURES(FIGURE_ROW){"reuse",
                                                      "Share of acquires served without building.",
                                                      LIDO_DIAL_GAUGE, LIDO_UNIT_SHARE, 0, 0, 0},
                                  KNOBS(KNOB_ROW)};

enum place { FIGURES(FIGURE_PLACE) AT_reuse, KNOBS(KNOB_PLACE) PLACES };
_Static_assert(PLACES == sizeof dials / sizeof dials[0] && PLACES <= LIDO_DIALS_MAX, "the table");

static void read_panel(void *context, uint64_t values[]) {
    struct lido_object_pool *pool = context;
    lido_object_pool_stats s = {.struct_size = sizeof s};
    (void)lido_object_pool_read_stats(pool, &s);
#define FIGURE_VALUE(name, kind, unit, about) values[AT_##name] = s.name;
    FIGURES(FIGURE_VALUE)
    values[AT_reuse] = (uint64_t)(s.reuse * 1e6 + 0.5);
    values[AT_object_limit] = s.object_limit;
    lido__lock(&pool->leases.lock);
    values[AT_waiter_limit] = pool->leases.waiter_limit;
    values[AT_overtake_limit] = pool->options.overtake_limit;
    lido__unlock(&pool->leases.lock);
}

static bool is_changed(uint64_t changed, enum place place) {
    return changed >> place & 1;
}

static int apply_panel(void *context, const uint64_t values[], uint64_t changed) {
    struct lido_object_pool *pool = context;
    if (is_changed(changed, AT_overtake_limit) && pool->options.order != LIDO_OBJECT_POOL_BOUNDED)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "object_pool \"%s\": overtake_limit is for bounded order, this pool has "
                          "another",
                          .word = {pool->resource.info.name});
    lido__lock(&pool->leases.lock);
    if (is_changed(changed, AT_waiter_limit))
        pool->leases.waiter_limit = values[AT_waiter_limit];
    if (is_changed(changed, AT_overtake_limit)) {
        pool->options.overtake_limit = values[AT_overtake_limit];
        pool->leases.bypass = (uint32_t)values[AT_overtake_limit];
    }
    lido__leases_unlock_and_wake(&pool->leases);
    if (is_changed(changed, AT_object_limit))
        return lido_object_pool_set_object_limit(pool, values[AT_object_limit]);
    return LIDO_OK;
}

const lido_panel lido__object_pool_panel = {.struct_size = sizeof(lido_panel),
                                            .kind = "object_pool",
                                            .dials = dials,
                                            .dial_count = PLACES,
                                            .read = read_panel,
                                            .apply = apply_panel};
