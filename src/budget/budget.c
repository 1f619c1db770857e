/* SPDX-License-Identifier: MIT
 * See budget.h. The pools are visited through the registry, so that none ends while its idle items
 * are destroyed. */
#include "budget/budget.h"

#include "base/log.h"
#include "base/mutex.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "registry/dials.h"

#include <string.h>

#define PRESSURE_BYTES  UINT64_C(400000000)
#define INTERVAL_NS     LIDO_SECONDS(180)
#define INTERVAL_MIN_NS LIDO_SECONDS(1)
#define INTERVAL_MAX_NS LIDO_SECONDS(86400)

struct lido_budget {
    struct lido__resource resource;
    _Atomic(uint64_t) used, used_peak, refused, reclaimed, cleanups;
    _Atomic(uint64_t) limit, pressure, interval_ns, cleanup_ns; /* cleanup_ns: not before */
    _Atomic(uint32_t) reclaim, starving;
    lido__mutex lock; /* guards what follows */
    struct lido__budget_member *members;
    uint64_t member_count;
};

/* ---- Members ----------------------------------------------------------------------------- */

void lido__budget_join(struct lido__budget_member *member) {
    struct lido_budget *budget = member->budget;
    if (!budget)
        return;
    lido__lock(&budget->lock);
    member->next = budget->members;
    member->link = &budget->members;
    if (member->next)
        member->next->link = &member->next;
    budget->members = member;
    budget->member_count++;
    lido__unlock(&budget->lock);
}

void lido__budget_leave(struct lido__budget_member *member) {
    struct lido_budget *budget = member->budget;
    if (!budget)
        return;
    lido__lock(&budget->lock);
    *member->link = member->next;
    if (member->next)
        member->next->link = member->link;
    budget->member_count--;
    lido__unlock(&budget->lock);
}

bool lido__budget_has_room(const struct lido__budget_member *member) {
    struct lido_budget *budget = member->budget;
    if (!budget)
        return true;
    uint64_t used = lido__load(&budget->used, relaxed); /* a hint: charge decides */
    uint64_t limit = lido__load(&budget->limit, relaxed);
    return member->item_bytes <= limit && used <= limit - member->item_bytes;
}

static bool try_charge(struct lido__budget_member *member) {
    struct lido_budget *budget = member->budget;
    uint64_t limit = lido__load(&budget->limit, relaxed);
    uint64_t used = lido__load(&budget->used, seq_cst); /* P7: after starving was said */
    do {
        if (member->item_bytes > limit || used > limit - member->item_bytes)
            return false;
    } while (!lido__cas(&budget->used, &used, used + member->item_bytes, relaxed, relaxed));
    /* Relaxed: a peak that two raise at once may miss the sum of both by one item for a moment. */
    uint64_t peak = lido__load(&budget->used_peak, relaxed);
    while (peak < used + member->item_bytes &&
           !lido__cas(&budget->used_peak, &peak, used + member->item_bytes, relaxed, relaxed))
        ;
    return true;
}

bool lido__budget_charge(struct lido__budget_member *member) {
    if (!member->budget || try_charge(member))
        return true;
    lido__store(&member->budget->starving, 1, seq_cst); /* P7: before the second look */
    if (try_charge(member))
        return true;
    (void)lido__add(&member->budget->refused, 1, relaxed); /* a count */
    return false;
}

void lido__budget_refund(struct lido__budget_member *member) {
    if (member->budget)
        (void)lido__sub(&member->budget->used, member->item_bytes, seq_cst); /* P7 */
}

/* The smallest id of a member above `after`, or 0. */
static uint64_t next_id(struct lido_budget *budget, uint64_t after) {
    uint64_t id = 0;
    lido__lock(&budget->lock);
    for (struct lido__budget_member *member = budget->members; member; member = member->next)
        if (member->resource_id > after && (id == 0 || member->resource_id < id))
            id = member->resource_id;
    lido__unlock(&budget->lock);
    return id;
}

/* The member with this id. Its pool is visited, so it stays. */
static struct lido__budget_member *find_member(struct lido_budget *budget, uint64_t id) {
    lido__lock(&budget->lock);
    struct lido__budget_member *member = budget->members;
    while (member && member->resource_id != id)
        member = member->next;
    lido__unlock(&budget->lock);
    return member;
}

/* For the cleanup attribute: a destroy callback may leave by an exception or a cancellation. */
static void end_visit(struct lido__visit *visit) {
    if (visit->resource)
        lido__visit_end(visit);
}

#define VISIT struct lido__visit __attribute__((cleanup(end_visit)))

/* Without the lock: waking may ask for memory. */
static void wake_all(struct lido_budget *budget) {
    struct lido__budget_member *member;
    for (uint64_t id = next_id(budget, 0); id; id = next_id(budget, id)) {
        VISIT visit = {0};
        if (lido__visit_begin(id, &visit) && (member = find_member(budget, id)) != NULL)
            member->wake(member->pool);
    }
}

void lido__budget_wake(struct lido__budget_member *member) {
    struct lido_budget *budget = member->budget;
    if (!budget || !lido__load(&budget->starving, seq_cst)) /* P7: after used was lowered */
        return;
    lido__store(&budget->starving, 0, seq_cst); /* who finds no room from now on says so anew */
    wake_all(budget);
}

/* ---- Making room ------------------------------------------------------------------------- */

/* How little a pool is used, and its id so that each differs. */
struct rank {
    uint64_t acquires, id;
};

static bool is_before(struct rank a, struct rank b) {
    return a.acquires != b.acquires ? a.acquires < b.acquires : a.id < b.id;
}

/* Finds the pool with idle items that is used least, beyond the last one found. Every round
 * goes further up, so a search ends whatever happens meanwhile. */
static bool find_least_used(struct lido_budget *budget, uint64_t except, const struct rank *last,
                            struct rank *found, uint64_t *item_bytes) {
    bool is_found = false;
    lido__lock(&budget->lock);
    for (struct lido__budget_member *member = budget->members; member; member = member->next) {
        uint64_t acquired = 0, idle = 0;
        if (member->resource_id == except)
            continue;
        member->look(member->pool, &acquired, &idle);
        const struct rank rank = {acquired - member->acquired_before, member->resource_id};
        if (idle == 0 || (last && !is_before(*last, rank)) ||
            (is_found && !is_before(rank, *found)))
            continue;
        *found = rank;
        *item_bytes = member->item_bytes;
        is_found = true;
    }
    lido__unlock(&budget->lock);
    return is_found;
}

/* Destroys idle items of one pool. Returns the bytes. */
static uint64_t reclaim_from(struct lido_budget *budget, uint64_t id, uint64_t count) {
    VISIT visit = {0};
    if (!lido__visit_begin(id, &visit))
        return 0;
    struct lido__budget_member *member = find_member(budget, id);
    if (!member)
        return 0;
    uint64_t destroyed = member->reclaim(member->pool, count);
    uint64_t bytes = destroyed * member->item_bytes;
    (void)lido__add(&budget->reclaimed, bytes, relaxed); /* a count */
    if (bytes)
        LIDO__LOG(LIDO_LOG_INFO, "budget.reclaimed", {"budget", budget->resource.info.name, 0},
                  {"pool", visit.resource->info.name, 0}, {"bytes", NULL, (int64_t)bytes});
    return bytes;
}

static uint64_t reclaim(struct lido_budget *budget, uint64_t bytes, uint64_t except) {
    struct rank last, found;
    uint64_t item_bytes = 1, freed = 0;
    bool has_last = false;
    while (freed < bytes && lido__load(&budget->reclaim, relaxed) &&
           find_least_used(budget, except, has_last ? &last : NULL, &found, &item_bytes)) {
        freed += reclaim_from(budget, found.id, (bytes - freed + item_bytes - 1) / item_bytes);
        last = found;
        has_last = true;
    }
    return freed;
}

/* The first pool, beyond this id, that nobody used since the last clean-up; else 0. Pools that
 * were used begin a new count. */
static uint64_t next_unused(struct lido_budget *budget, uint64_t after) {
    uint64_t id = 0;
    lido__lock(&budget->lock);
    for (struct lido__budget_member *member = budget->members; member; member = member->next) {
        uint64_t acquired, idle;
        member->look(member->pool, &acquired, &idle);
        if (member->resource_id > after && (id == 0 || member->resource_id < id) && idle > 0 &&
            acquired == member->acquired_before)
            id = member->resource_id;
    }
    lido__unlock(&budget->lock);
    return id;
}

static uint64_t clean_up(struct lido_budget *budget) {
    uint64_t freed = 0;
    for (uint64_t id = 0;
         lido__load(&budget->reclaim, relaxed) && (id = next_unused(budget, id)) != 0;)
        freed += reclaim_from(budget, id, UINT64_MAX);
    lido__lock(&budget->lock);
    for (struct lido__budget_member *member = budget->members; member; member = member->next) {
        uint64_t idle;
        member->look(member->pool, &member->acquired_before, &idle);
    }
    lido__unlock(&budget->lock);
    (void)lido__add(&budget->cleanups, 1, relaxed); /* a count */
    return freed;
}

/* Whether this thread is the one to clean up now. */
static bool is_time(struct lido_budget *budget) {
    uint64_t now_ns = lido__sys.coarse_ns(), due_ns = lido__load(&budget->cleanup_ns, relaxed);
    if (now_ns < due_ns)
        return false;
    uint64_t next_ns = now_ns + lido__load(&budget->interval_ns, relaxed);
    return lido__cas(&budget->cleanup_ns, &due_ns, next_ns, relaxed, relaxed); /* one wins */
}

uint64_t lido__budget_make_room(struct lido__budget_member *member, bool is_to_build) {
    struct lido_budget *budget = member->budget;
    if (!budget)
        return 0;
    uint64_t freed = is_time(budget) ? clean_up(budget) : 0;
    uint64_t used = lido__load(&budget->used, relaxed); /* a hint: charge decides */
    if (is_to_build && (used + member->item_bytes > lido__load(&budget->pressure, relaxed) ||
                        !lido__budget_has_room(member)))
        freed += reclaim(budget, member->item_bytes, member->resource_id);
    return freed;
}

uint64_t lido_budget_tend(lido_budget *budget) {
    uint64_t freed = is_time(budget) ? clean_up(budget) : 0;
    uint64_t used = lido__load(&budget->used, relaxed), /* hints */
        pressure = lido__load(&budget->pressure, relaxed);
    if (used > pressure)
        freed += reclaim(budget, used - pressure, 0);
    if (lido__load(&budget->starving, relaxed)) { /* a hint; who starves gets an item of another */
        freed += reclaim(budget, 1, 0);
        wake_all(budget);
    }
    return freed;
}

/* ---- The panel --------------------------------------------------------------------------- */

#define FIGURES(F)                                                                                 \
    F(used_bytes, GAUGE, BYTES, "What the objects of all its pools count.")                        \
    F(used_peak_bytes, GAUGE, BYTES, "The most they ever counted.")                                \
    F(pool_count, GAUGE, COUNT, "Pools that share it.")                                            \
    F(refused, COUNTER, COUNT, "Objects not built for lack of room.")                              \
    F(reclaimed_bytes, COUNTER, BYTES, "Idle objects destroyed to make room or to clean up.")      \
    F(cleanups, COUNTER, COUNT, "How often it has cleaned up.")

#define KNOBS(K)                                                                                   \
    K(limit_bytes, BYTES, 1, UINT64_MAX, UINT64_MAX,                                               \
      "What the objects of all pools may count together.")                                         \
    K(pressure_bytes, BYTES, 1, UINT64_MAX, PRESSURE_BYTES,                                        \
      "Above this, who builds destroys what is idle elsewhere.")                                   \
    K(cleanup_interval_ns, NS, INTERVAL_MIN_NS, INTERVAL_MAX_NS, INTERVAL_NS,                      \
      "Time between two clean-ups of pools that rest.")                                            \
    K(reclaim, SWITCH, 0, 1, 1, "Whether idle objects are destroyed at all.")

static const lido_dial dials[] = {FIGURES(LIDO__FIGURE) KNOBS(LIDO__KNOB)};

enum { FIGURES(LIDO__AT) KNOBS(LIDO__AT) PLACES };

static void read_panel(void *context, uint64_t values[]) {
    struct lido_budget *budget = context;
    lido_budget_stats s = {.struct_size = sizeof s};
    (void)lido_budget_read_stats(budget, &s);
    FIGURES(LIDO__VALUE)
    values[AT_limit_bytes] = lido__load(&budget->limit, relaxed); /* settings stand alone */
    values[AT_pressure_bytes] = lido__load(&budget->pressure, relaxed);
    values[AT_cleanup_interval_ns] = lido__load(&budget->interval_ns, relaxed);
    values[AT_reclaim] = lido__load(&budget->reclaim, relaxed);
}

static int apply_panel(void *context, const uint64_t values[], uint64_t changed) {
    struct lido_budget *budget = context;
    if (changed >> AT_limit_bytes & 1)
        lido__store(&budget->limit, values[AT_limit_bytes], relaxed); /* settings stand alone */
    if (changed >> AT_pressure_bytes & 1)
        lido__store(&budget->pressure, values[AT_pressure_bytes], relaxed);
    if (changed >> AT_cleanup_interval_ns & 1) {
        lido__store(&budget->interval_ns, values[AT_cleanup_interval_ns], relaxed);
        lido__store(&budget->cleanup_ns, lido__sys.coarse_ns() + values[AT_cleanup_interval_ns],
                    relaxed);
    }
    if (changed >> AT_reclaim & 1)
        lido__store(&budget->reclaim, (uint32_t)values[AT_reclaim], relaxed);
    wake_all(budget); /* there may be more room now */
    return LIDO_OK;
}

static const lido_panel panel = LIDO__PANEL("budget", read_panel, apply_panel);

/* ---- Life -------------------------------------------------------------------------------- */

static struct lido_budget *of(struct lido__resource *resource) {
    return (struct lido_budget *)(void *)resource; /* its first member */
}

/* A budget is older than its pools, so its lock is taken before theirs. */
static void kind_lock(struct lido__resource *resource) {
    lido__lock(&of(resource)->lock);
}

static void kind_unlock(struct lido__resource *resource) {
    lido__unlock(&of(resource)->lock);
}

static const struct lido__kind kind = {
    .name = "budget", .lock = kind_lock, .unlock = kind_unlock, .in_child = kind_unlock};

static lido_status check(lido_budget_options *options) {
    const char *name = options->name ? options->name : "unnamed";
    if (options->flags & ~(uint64_t)LIDO_BUDGET_KEEP)
        return LIDO__FAIL(
            LIDO_ERR_UNSUPPORTED,
            "budget \"%s\": flags are %u, must be 0 or LIDO_BUDGET_KEEP (%u) in this version",
            .word = {name}, .number = {options->flags, LIDO_BUDGET_KEEP});
    if (!options->limit_bytes)
        options->limit_bytes = UINT64_MAX;
    if (!options->pressure_bytes)
        options->pressure_bytes = PRESSURE_BYTES;
    if (!options->cleanup_interval_ns)
        options->cleanup_interval_ns = INTERVAL_NS;
    if (options->cleanup_interval_ns < INTERVAL_MIN_NS ||
        options->cleanup_interval_ns > INTERVAL_MAX_NS)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT, "budget \"%s\": cleanup_interval_ns is %u, must be %u to %u",
            .word = {name},
            .number = {options->cleanup_interval_ns, INTERVAL_MIN_NS, INTERVAL_MAX_NS});
    return LIDO_OK;
}

lido_status lido_budget_create_at(const lido_budget_options *given, lido_budget **made,
                                  const char *site) {
    lido_budget_options options;
    *made = NULL;
    lido_status status = lido__options_read(given, &options, sizeof options, "lido_budget_options");
    if (status == LIDO_OK)
        status = check(&options);
    if (status != LIDO_OK)
        return status;
    struct lido_budget *budget = lido__sys.alloc(sizeof *budget, _Alignof(struct lido_budget));
    if (!budget)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY,
                          "budget \"%s\": no memory for the budget itself, %u bytes; free some "
                          "memory and call again",
                          .word = {options.name ? options.name : "unnamed"},
                          .number = {sizeof *budget});
    memset(budget, 0, sizeof *budget);
    lido__mutex_init(&budget->lock);
    lido__store(&budget->limit, options.limit_bytes, relaxed); /* nobody knows it yet */
    lido__store(&budget->pressure, options.pressure_bytes, relaxed);
    lido__store(&budget->interval_ns, options.cleanup_interval_ns, relaxed);
    lido__store(&budget->cleanup_ns, lido__sys.coarse_ns() + options.cleanup_interval_ns, relaxed);
    lido__store(&budget->reclaim, !(options.flags & LIDO_BUDGET_KEEP), relaxed);
    budget->resource.panel = &panel;
    budget->resource.context = budget;
    status = lido__resource_name(&budget->resource, &kind, options.name, options.owner);
    if (status == LIDO_OK)
        status = lido__resource_insert(&budget->resource, site);
    if (status == LIDO_OK)
        *made = budget;
    else
        lido__sys.free(budget);
    return status;
}

lido_status lido_budget_destroy(lido_budget *budget) {
    if (!budget)
        return LIDO_OK;
    lido__lock(&budget->lock);
    uint64_t count = budget->member_count;
    uint64_t id = budget->members ? budget->members->resource_id : 0;
    lido__unlock(&budget->lock);
    lido_resource one = LIDO_RESOURCE;
    if (count) {
        (void)lido_registry_next(id - 1, &one);
        return LIDO__FAIL(LIDO_ERR_BUSY,
                          "budget \"%s\": cannot be destroyed, %u pools share it; one is \"%s\", "
                          "made at %s; destroy them first",
                          .word = {budget->resource.info.name, one.name, one.made_at},
                          .number = {count});
    }
    lido__resource_remove(&budget->resource);
    lido__sys.free(budget);
    return LIDO_OK;
}

lido_status lido_budget_read_stats(const lido_budget *constant, lido_budget_stats *stats) {
    lido_budget *budget = (lido_budget *)(uintptr_t)constant;
    lido_budget_stats s = {.struct_size = sizeof s};
    s.used_bytes = lido__load(&budget->used, relaxed); /* figures: exact at rest */
    s.used_peak_bytes = lido__load(&budget->used_peak, relaxed);
    s.refused = lido__load(&budget->refused, relaxed);
    s.reclaimed_bytes = lido__load(&budget->reclaimed, relaxed);
    s.cleanups = lido__load(&budget->cleanups, relaxed);
    lido__lock(&budget->lock);
    s.pool_count = budget->member_count;
    lido__unlock(&budget->lock);
    return lido__figures_write(stats, &s, sizeof s, "lido_budget_stats");
}
