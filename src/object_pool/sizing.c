/* SPDX-License-Identifier: MIT
 * Adaptive size of object pools: the options, who drives it, and telling why. What is decided is in
 * src/lease/sizing.c. Building and destroying happen here, without a lock, in the thread that calls
 * tend (both) or that acquires slowly (destroying alone, a quarter of what is too much at a time). */
#include "object_pool/internal.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "lease/internal.h"
#include "lease/sizing.h"

static const char *const reasons[] = {
    [LIDO__GROW_WAITED] = "a thread waited for contention_threshold_ns or to its deadline",
    [LIDO__GROW_AT_ONCE] = "a call that may not wait found all objects out",
    [LIDO__GROW_PEAK] = "the peak in the window needs more objects at target_utilisation",
    [LIDO__SHRINK_PEAK] = "the peak in the window needs fewer objects at target_utilisation",
    [LIDO__GROW_ASKED] = "prepare asked for more objects",
    [LIDO__SHRINK_BUDGET] = "the budget is short and this pool uses its objects least",
    [LIDO__SIZING_SET] = "the settings were changed",
};

/* ---- Options ----------------------------------------------------------------------------- */

static void fill_in(lido_object_pool_options *options) {
    if (!options->object_limit && options->sizing)
        options->object_limit = LIDO__SIZING_OBJECT_MAX;
    if (!options->object_min)
        options->object_min = options->object_limit < LIDO__SIZING_OBJECT_MIN
                                  ? options->object_limit
                                  : LIDO__SIZING_OBJECT_MIN;
    if (!options->target_utilisation)
        options->target_utilisation = LIDO__SIZING_PERCENT;
    if (!options->contention_threshold_ns)
        options->contention_threshold_ns = LIDO__SIZING_CONTENTION_NS;
    if (!options->sizing_interval_ns)
        options->sizing_interval_ns = LIDO__SIZING_INTERVAL_NS;
    if (!options->sizing_window_ns)
        options->sizing_window_ns = LIDO__SIZING_WINDOW_NS;
}

lido_status lido__object_pool_check_sizing(lido_object_pool_options *options) {
    const char *name = options->name ? options->name : "unnamed";
    fill_in(options);
    const struct {
        const char *name;
        uint64_t value, low, high;
    } field[] = {
        {"sizing", options->sizing, 0, 1},
        {"object_min", options->object_min, 0, options->object_limit},
        {"target_utilisation", options->target_utilisation, 1, 100},
        {"sizing_interval_ns", options->sizing_interval_ns, LIDO__SIZING_TIME_MIN_NS,
         LIDO__SIZING_TIME_MAX_NS},
        {"sizing_window_ns", options->sizing_window_ns, LIDO__SIZING_TIME_MIN_NS,
         LIDO__SIZING_TIME_MAX_NS},
    };
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++)
        if (field[i].value < field[i].low || field[i].value > field[i].high)
            return LIDO__FAIL(LIDO_ERR_ARGUMENT, "object_pool \"%s\": %s is %u, must be %u to %u",
                              .word = {name, field[i].name},
                              .number = {field[i].value, field[i].low, field[i].high});
    return LIDO_OK;
}

lido_status lido__object_pool_set_sizing(struct lido_object_pool *pool,
                                         void (*edit)(lido_object_pool_options *options,
                                                      const void *context),
                                         const void *context) {
    struct lido__sizing *spare = NULL;
    lido__lock(&pool->leases.lock);
    bool is_there = pool->leases.sizing != NULL; /* once made, it stays */
    lido__unlock(&pool->leases.lock);
    if (!is_there)
        spare = lido__sys.alloc(sizeof *spare, _Alignof(struct lido__sizing));
    if (!is_there && !spare)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY,
                          "object_pool \"%s\": no memory for its sizing, %u bytes; free some "
                          "memory and call again",
                          .word = {pool->resource.info.name}, .number = {sizeof *spare});
    lido__lock(&pool->leases.lock);
    lido_object_pool_options *o = &pool->options;
    edit(o, context);
    const struct lido__sizing_settings settings = {.min = o->object_min,
                                                   .percent = o->target_utilisation,
                                                   .contention_ns = o->contention_threshold_ns,
                                                   .interval_ns = o->sizing_interval_ns,
                                                   .window_ns = o->sizing_window_ns};
    spare = lido__sizing_set(&pool->leases, o->sizing != 0, &settings, spare);
    if (o->sizing)
        lido__store(&pool->was_sized, 1, relaxed); /* a hint for slow calls, which take the lock */
    lido__leases_unlock_and_wake(&pool->leases);
    lido__sys.free(spare);
    return LIDO_OK;
}

static void leave_as_is(lido_object_pool_options *options, const void *context) {
    (void)options, (void)context;
}

lido_status lido__object_pool_start_sizing(struct lido_object_pool *pool) {
    return pool->options.sizing ? lido__object_pool_set_sizing(pool, leave_as_is, NULL) : LIDO_OK;
}

/* ---- Sharing a budget --------------------------------------------------------------------- */

/* With the lock held: what must stay. */
static uint64_t floor_of(const struct lido_object_pool *pool) {
    return lido__sizing_is_on(&pool->leases) ? pool->options.object_min : 0;
}

static void look(void *context, uint64_t *acquired, uint64_t *idle) {
    struct lido_object_pool *pool = context;
    struct lido__lease_sums sums = lido__lease_sum(&pool->leases);
    lido__lock(&pool->leases.lock);
    uint64_t existing = pool->leases.existing, least = floor_of(pool);
    lido__unlock(&pool->leases.lock);
    uint64_t spare = existing > least ? existing - least : 0;
    *acquired = sums.acquired;
    *idle = sums.idle < spare ? sums.idle : spare;
}

static uint64_t reclaim(void *context, uint64_t count) {
    struct lido_object_pool *pool = context;
    lido__lock(&pool->leases.lock);
    uint64_t existing = pool->leases.existing, least = floor_of(pool);
    lido__unlock(&pool->leases.lock);
    uint64_t keep = existing > count && existing - count > least ? existing - count : least;
    uint64_t destroyed = lido_object_pool_trim(pool, keep);
    lido__lock(&pool->leases.lock);
    if (destroyed)
        lido__sizing_lower(&pool->leases, pool->leases.existing);
    lido__unlock(&pool->leases.lock);
    lido__object_pool_tell(pool);
    return destroyed;
}

static void wake(void *context) {
    struct lido_object_pool *pool = context;
    lido__lock(&pool->leases.lock);
    lido__leases_unlock_and_wake(&pool->leases);
}

void lido__object_pool_share(struct lido_object_pool *pool) {
    if (!pool->options.budget)
        return;
    pool->member = (struct lido__budget_member){
        .budget = pool->options.budget,
        .item_bytes = pool->options.object_bytes ? pool->options.object_bytes : 1,
        .pool = pool,
        .look = look,
        .reclaim = reclaim,
        .wake = wake};
    pool->leases.budget = &pool->member;
}

/* ---- Driving it -------------------------------------------------------------------------- */

/* Decides; returns the size. */
static uint64_t decide(struct lido_object_pool *pool, bool *is_above) {
    struct lido__leases *leases = &pool->leases;
    lido__lock(&leases->lock);
    lido__sizing_sample(leases);
    lido__sizing_decide(leases);
    uint64_t size = leases->limit;
    *is_above = lido__sizing_is_on(leases) && leases->existing > size;
    lido__leases_unlock_and_wake(leases);
    return size;
}

/* Destroys idle objects down to the size; what is out and above it ends when it comes back. */
static uint64_t shrink_to(struct lido_object_pool *pool, uint64_t size) {
    uint64_t destroyed = lido_object_pool_trim(pool, size);
    lido__leases_enforce(&pool->leases);
    return destroyed;
}

/* Whether an acquire would have to build. */
static bool is_to_build(struct lido_object_pool *pool) {
    struct lido__leases *leases = &pool->leases;
    lido__lock(&leases->lock);
    bool is_needed = leases->idle_count == 0 && lido__lease_shelved(leases) == 0 &&
                     leases->existing < leases->limit_max;
    lido__unlock(&leases->lock);
    return is_needed;
}

void lido__object_pool_attend(struct lido_object_pool *pool) {
    bool is_above;
    if (pool->member.budget)
        (void)lido__budget_make_room(&pool->member, is_to_build(pool));
    if (!lido__load(&pool->was_sized, relaxed)) /* a hint */
        return;
    uint64_t size = decide(pool, &is_above);
    if (is_above)
        (void)shrink_to(pool, size);
}

void lido__object_pool_tell(struct lido_object_pool *pool) {
    struct lido__decision decision;
    if (!lido__load(&pool->was_sized, relaxed)) /* a hint */
        return;
    for (;;) {
        lido__lock(&pool->leases.lock);
        bool is_new = lido__sizing_tell(&pool->leases, &decision);
        lido__unlock(&pool->leases.lock);
        if (!is_new)
            return;
        LIDO__LOG(LIDO_LOG_INFO, "object_pool.resized", {"pool", pool->resource.info.name, 0},
                  {"from", NULL, (int64_t)decision.from}, {"to", NULL, (int64_t)decision.to},
                  {"peak", NULL, (int64_t)decision.peak}, {"reason", reasons[decision.reason], 0});
    }
}

uint64_t lido_object_pool_tend(lido_object_pool *pool) {
    uint64_t built = 0;
    bool is_above;
    if (!lido__load(&pool->was_sized, relaxed)) /* a hint */
        return 0;
    uint64_t size = decide(pool, &is_above);
    uint64_t destroyed = is_above ? shrink_to(pool, size) : 0;
    lido__lock(&pool->leases.lock);
    bool is_on = lido__sizing_is_on(&pool->leases);
    lido__unlock(&pool->leases.lock);
    if (is_on)
        (void)lido__object_pool_build_up(pool, size,
                                         &built); /* create failed: counted and logged */
    lido__object_pool_tell(pool);
    return built + destroyed;
}

bool lido_object_pool_next_decision(const lido_object_pool *constant, uint64_t after,
                                    lido_object_pool_decision *decision) {
    lido_object_pool *pool = (lido_object_pool *)(uintptr_t)constant;
    struct lido__decision found;
    lido__lock(&pool->leases.lock);
    bool is_found = lido__sizing_next(&pool->leases, after, &found);
    lido__unlock(&pool->leases.lock);
    if (!is_found)
        return false;
    const lido_object_pool_decision told = {.struct_size = sizeof told,
                                            .number = found.number,
                                            .when_ns = found.when_ns,
                                            .from = found.from,
                                            .to = found.to,
                                            .peak = found.peak,
                                            .reason = reasons[found.reason]};
    return lido__figures_write(decision, &told, sizeof told, "lido_object_pool_decision") ==
           LIDO_OK;
}
