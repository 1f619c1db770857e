/* SPDX-License-Identifier: MIT
 * See sizing.h. */
#include "lease/sizing.h"
#include "lease/internal.h"

#include "base/sys.h"
#include "budget/budget.h"

#include <lido/base.h>

#include <string.h>

static uint64_t width_of(const struct lido__sizing *sizing) {
    return sizing->set.window_ns / LIDO__SIZING_BUCKETS;
}

bool lido__sizing_is_on(const struct lido__leases *leases) {
    return leases->sizing && leases->sizing->is_on;
}

static uint64_t clamp(const struct lido__leases *leases, uint64_t size) {
    uint64_t min = leases->sizing->set.min;
    size = size < min ? min : size;
    return size > leases->limit_max ? leases->limit_max : size;
}

/* ---- Demand ------------------------------------------------------------------------------ */

/* Forgets the buckets that the window has left behind. */
static void turn(struct lido__sizing *sizing, uint64_t now_ns) {
    uint64_t bucket = now_ns / width_of(sizing);
    if (bucket <= sizing->bucket)
        return; /* the same, or a clock of another core that is behind */
    uint64_t passed = bucket - sizing->bucket;
    if (passed > LIDO__SIZING_BUCKETS)
        passed = LIDO__SIZING_BUCKETS;
    for (uint64_t i = 0; i < passed; i++)
        sizing->peak[(bucket - i) % LIDO__SIZING_BUCKETS] = 0;
    sizing->bucket = bucket;
}

static uint32_t demand_of(const struct lido__leases *leases) {
    uint64_t free_count = leases->idle_count + lido__lease_shelved(leases);
    uint64_t used = leases->existing > free_count ? leases->existing - free_count : 0;
    return (uint32_t)(used + leases->waiting);
}

void lido__sizing_sample(struct lido__leases *leases) {
    if (!lido__sizing_is_on(leases))
        return;
    struct lido__sizing *sizing = leases->sizing;
    turn(sizing, lido__sys.coarse_ns());
    uint32_t demand = demand_of(leases);
    uint32_t *peak = &sizing->peak[sizing->bucket % LIDO__SIZING_BUCKETS];
    if (demand > *peak)
        *peak = demand;
}

uint64_t lido__sizing_peak(const struct lido__leases *leases) {
    uint32_t peak = 0;
    for (int i = 0; leases->sizing && i < LIDO__SIZING_BUCKETS; i++)
        if (leases->sizing->peak[i] > peak)
            peak = leases->sizing->peak[i];
    return peak;
}

/* ---- Decisions --------------------------------------------------------------------------- */

static void change(struct lido__leases *leases, uint64_t to, enum lido__sizing_reason reason) {
    struct lido__sizing *sizing = leases->sizing;
    uint64_t number = ++sizing->decision_count;
    sizing->decision[number % LIDO__SIZING_DECISIONS] =
        (struct lido__decision){.number = number,
                                .when_ns = lido__sys.now_ns(),
                                .from = leases->limit,
                                .to = to,
                                .peak = lido__sizing_peak(leases),
                                .reason = reason};
    lido__leases_resize(leases, to);
}

uint64_t lido__sizing_grow_at(const struct lido__leases *leases, uint64_t since_ns,
                              uint64_t deadline_ns) {
    if (!lido__sizing_is_on(leases) || leases->sizing->set.contention_ns == LIDO_FOREVER)
        return LIDO_FOREVER;
    uint64_t patience_ns = leases->sizing->set.contention_ns;
    if (patience_ns >= deadline_ns || since_ns > deadline_ns - patience_ns)
        return deadline_ns;
    return since_ns + patience_ns;
}

bool lido__sizing_grow(struct lido__leases *leases, enum lido__sizing_reason reason) {
    if (!lido__sizing_is_on(leases) || leases->limit >= leases->limit_max ||
        (leases->budget && !lido__budget_has_room(leases->budget)))
        return false;
    change(leases, leases->limit + 1, reason);
    return true;
}

void lido__sizing_bound(struct lido__leases *leases) {
    if (clamp(leases, leases->limit) != leases->limit)
        change(leases, clamp(leases, leases->limit), LIDO__SIZING_SET);
}

void lido__sizing_raise(struct lido__leases *leases, uint64_t size) {
    if (lido__sizing_is_on(leases) && clamp(leases, size) > leases->limit)
        change(leases, clamp(leases, size), LIDO__GROW_ASKED);
}

void lido__sizing_lower(struct lido__leases *leases, uint64_t size) {
    if (lido__sizing_is_on(leases) && clamp(leases, size) < leases->limit)
        change(leases, clamp(leases, size), LIDO__SHRINK_BUDGET);
}

void lido__sizing_decide(struct lido__leases *leases) {
    if (!lido__sizing_is_on(leases))
        return;
    struct lido__sizing *sizing = leases->sizing;
    uint64_t now_ns = lido__sys.coarse_ns(), size = leases->limit;
    if (now_ns < sizing->decide_ns)
        return;
    sizing->decide_ns = now_ns + sizing->set.interval_ns;
    turn(sizing, now_ns);
    uint64_t percent = sizing->set.percent;
    uint64_t target = clamp(leases, (lido__sizing_peak(leases) * 100 + percent - 1) / percent);
    if (target * 10 > size * 11)
        change(leases, target, LIDO__GROW_PEAK);
    else if (target * 10 < size * 9) {
        uint64_t step = (size - target) / 4;
        change(leases, size - (step ? step : 1), LIDO__SHRINK_PEAK);
    }
}

struct lido__sizing *lido__sizing_set(struct lido__leases *leases, bool is_on,
                                      const struct lido__sizing_settings *settings,
                                      struct lido__sizing *spare) {
    uint64_t now_ns = lido__sys.coarse_ns();
    if (!leases->sizing && !is_on)
        return spare;
    if (!leases->sizing) {
        leases->sizing = spare;
        memset(spare, 0, sizeof *spare);
        spare = NULL;
    }
    struct lido__sizing *sizing = leases->sizing;
    uint64_t peak = lido__sizing_peak(leases);
    bool was_on = sizing->is_on, is_wider = sizing->set.window_ns != settings->window_ns;
    sizing->set = *settings;
    sizing->is_on = is_on;
    if (!is_on) {
        if (was_on && leases->limit != leases->limit_max)
            change(leases, leases->limit_max, LIDO__SIZING_SET);
        return spare;
    }
    if (!was_on || is_wider) { /* buckets of another width: the peak counts as of now */
        memset(sizing->peak, 0, sizeof sizing->peak);
        sizing->bucket = now_ns / width_of(sizing);
        sizing->peak[sizing->bucket % LIDO__SIZING_BUCKETS] = was_on ? (uint32_t)peak : 0;
    }
    if (!was_on || sizing->decide_ns > now_ns + settings->interval_ns)
        sizing->decide_ns = now_ns + settings->interval_ns;
    uint64_t size = clamp(leases, was_on ? leases->limit : leases->existing);
    if (leases->slot_count == 0)
        lido__leases_resize(leases, size); /* the pool begins: nothing was changed */
    else if (size != leases->limit)
        change(leases, size, LIDO__SIZING_SET);
    lido__sizing_sample(leases);
    return spare;
}

/* ---- Telling ----------------------------------------------------------------------------- */

bool lido__sizing_next(const struct lido__leases *leases, uint64_t after,
                       struct lido__decision *decision) {
    const struct lido__sizing *sizing = leases->sizing;
    if (!sizing || after >= sizing->decision_count)
        return false;
    uint64_t oldest = sizing->decision_count > LIDO__SIZING_DECISIONS
                          ? sizing->decision_count - LIDO__SIZING_DECISIONS
                          : 0;
    uint64_t number = (after > oldest ? after : oldest) + 1;
    *decision = sizing->decision[number % LIDO__SIZING_DECISIONS];
    return true;
}

bool lido__sizing_tell(struct lido__leases *leases, struct lido__decision *decision) {
    if (!leases->sizing || !lido__sizing_next(leases, leases->sizing->told_count, decision))
        return false;
    leases->sizing->told_count = decision->number;
    return true;
}
