/* SPDX-License-Identifier: MIT
 * The panel of an object pool: its figures and its knobs, each told once. */
#include "object_pool/internal.h"

#include "base/status.h"
#include "registry/dials.h"

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
    F(size, GAUGE, COUNT, "Objects that may exist now: object_limit unless sizing is on.")         \
    F(resized, COUNTER, COUNT, "How often sizing changed the size.")                               \
    F(overhead_bytes, GAUGE, BYTES, "Memory held for book-keeping.")

#define SHARES(S) S(reuse, "Share of acquires served without building.")

/* Knobs: name, unit, low, high, initial, sentence. */
#define KNOBS(K)                                                                                   \
    K(object_limit, COUNT, 1, LIDO__OBJECT_LIMIT_MAX, 0, "Objects that may exist at once.")        \
    K(waiter_limit, COUNT, 0, UINT64_MAX, 0, "Threads that may wait at once; 0: no limit.")        \
    K(overtake_limit, COUNT, 1, LIDO__OVERTAKE_LIMIT_MAX, LIDO__OVERTAKE_LIMIT,                    \
      "How often a waiter may be passed before objects go to it directly; for bounded order.")     \
    K(sizing, SWITCH, 0, 1, 0, "Whether the size moves with the demand.")                          \
    K(object_min, COUNT, 0, LIDO__OBJECT_LIMIT_MAX, LIDO__SIZING_OBJECT_MIN,                       \
      "The least that sizing goes down to; at most object_limit.")                                 \
    K(target_utilisation, PERCENT, 1, 100, LIDO__SIZING_PERCENT,                                   \
      "Share of the objects that sizing wants in use at the peak.")                                \
    K(contention_threshold_ns, NS, 1, LIDO_FOREVER, LIDO__SIZING_CONTENTION_NS,                    \
      "How long a thread waits before it builds one more.")                                        \
    K(sizing_interval_ns, NS, LIDO__SIZING_TIME_MIN_NS, LIDO__SIZING_TIME_MAX_NS,                  \
      LIDO__SIZING_INTERVAL_NS, "Time between two decisions by the peak.")                         \
    K(sizing_window_ns, NS, LIDO__SIZING_TIME_MIN_NS, LIDO__SIZING_TIME_MAX_NS,                    \
      LIDO__SIZING_WINDOW_NS, "How far back peaks count.")

static const lido_dial dials[] = {FIGURES(LIDO__FIGURE) SHARES(LIDO__SHARE) KNOBS(LIDO__KNOB)};

enum place { FIGURES(LIDO__AT) SHARES(LIDO__AT) KNOBS(LIDO__AT) PLACES };

static void read_panel(void *context, uint64_t values[]) {
    struct lido_object_pool *pool = context;
    lido_object_pool_stats s = {.struct_size = sizeof s};
    (void)lido_object_pool_read_stats(pool, &s);
    FIGURES(LIDO__VALUE)
    SHARES(LIDO__SHARE_VALUE)
    values[AT_object_limit] = s.object_limit;
    lido__lock(&pool->leases.lock);
    const lido_object_pool_options *o = &pool->options;
    values[AT_waiter_limit] = pool->leases.waiter_limit;
    values[AT_overtake_limit] = o->overtake_limit;
    values[AT_sizing] = o->sizing;
    values[AT_object_min] = o->object_min;
    values[AT_target_utilisation] = o->target_utilisation;
    values[AT_contention_threshold_ns] = o->contention_threshold_ns;
    values[AT_sizing_interval_ns] = o->sizing_interval_ns;
    values[AT_sizing_window_ns] = o->sizing_window_ns;
    lido__unlock(&pool->leases.lock);
}

/* The knobs of sizing are the last of the table. */
static bool is_changed(uint64_t changed, enum place place) {
    return changed >> place & 1;
}

static lido_status check_set(const struct lido_object_pool *pool, const uint64_t values[],
                             uint64_t changed) {
    if (is_changed(changed, AT_overtake_limit) && pool->options.order != LIDO_OBJECT_POOL_BOUNDED)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT,
            "object_pool \"%s\": overtake_limit is %u, but only bounded order (0) has "
            "one; this pool was made with order %u",
            .word = {pool->resource.info.name},
            .number = {values[AT_overtake_limit], pool->options.order});
    if (is_changed(changed, AT_object_min) && values[AT_object_min] > values[AT_object_limit])
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "object_pool \"%s\": object_min is %u, must not be above object_limit %u",
                          .word = {pool->resource.info.name},
                          .number = {values[AT_object_min], values[AT_object_limit]});
    return LIDO_OK;
}

struct settings {
    const uint64_t *values;
    uint64_t changed;
};

static void edit_sizing(lido_object_pool_options *o, const void *context) {
    const struct settings *s = context;
#define TAKE(name) o->name = is_changed(s->changed, AT_##name) ? s->values[AT_##name] : o->name
    TAKE(sizing);
    TAKE(object_min);
    TAKE(target_utilisation);
    TAKE(contention_threshold_ns);
    TAKE(sizing_interval_ns);
    TAKE(sizing_window_ns);
}

/* What can fail comes first. */
static int apply_panel(void *context, const uint64_t values[], uint64_t changed) {
    struct lido_object_pool *pool = context;
    lido_status status = check_set(pool, values, changed);
    if (status == LIDO_OK && changed >> AT_sizing)
        status =
            lido__object_pool_set_sizing(pool, edit_sizing, &(struct settings){values, changed});
    if (status != LIDO_OK)
        return status;
    lido__lock(&pool->leases.lock);
    if (is_changed(changed, AT_waiter_limit))
        pool->leases.waiter_limit = values[AT_waiter_limit];
    if (is_changed(changed, AT_overtake_limit)) {
        pool->options.overtake_limit = values[AT_overtake_limit];
        pool->leases.bypass = (uint32_t)values[AT_overtake_limit];
    }
    lido__leases_unlock_and_wake(&pool->leases);
    if (is_changed(changed, AT_object_limit))
        (void)lido_object_pool_set_object_limit(pool, values[AT_object_limit]); /* in bounds */
    lido__object_pool_tell(pool);
    return LIDO_OK;
}

const lido_panel lido__object_pool_panel = LIDO__PANEL("object_pool", read_panel, apply_panel);
