/* SPDX-License-Identifier: MIT
 * What a load may read and what orders what: the memory model of explore.h, and the mutations of
 * single operations. Plain data is in explore_plain.c.
 *
 * Knowledge = view + clock. It travels with release and acquire. Sequentially consistent fences and
 * membarrier pass on views only: they order what is read from atomics, yet an access to plain data
 * is ordered by nothing but a release that was read by an acquire (C11 5.1.2.4). */
#include "explore_internal.h"

#include <string.h>

enum { KNOWN = 4096 };

/* An atomic object that was ever accessed in this kernel: by whom, as bits. */
struct known {
    const void *object;
    uint8_t readers, writers;
    bool is_shared;       /* some thread writes what another uses */
    bool is_found_shared; /* the same, found out by this pass: holds from the next one on */
};

static struct known known[KNOWN];
static int known_count, found_count;
static struct location locations[LOCATIONS];
static int location_count;
static struct view sc_view; /* what sequentially consistent fences and operations agree on */
static struct explore_site *sites;

/* ---- Knowledge ------------------------------------------------------------------------- */

static void join_views(struct view *into, const struct view *other) {
    for (int i = 0; i < location_count; i++)
        if (into->oldest[i] < other->oldest[i])
            into->oldest[i] = other->oldest[i];
}

static void join(struct knowledge *into, const struct knowledge *other) {
    join_views(&into->view, &other->view);
    for (int t = 0; t < EVERYONE; t++)
        if (into->clock.step[t] < other->clock.step[t])
            into->clock.step[t] = other->clock.step[t];
}

void explore_pass(struct knowledge *from, struct knowledge *to) {
    join(to, from);
}

static bool acquires(int order) {
    return order == memory_order_acquire || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

static bool releases(int order) {
    return order == memory_order_release || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

/* ---- Life of an execution --------------------------------------------------------------- */

void explore_memory_begin(void) {
    location_count = 0;
    explore_plain_begin();
    memset(&sc_view, 0, sizeof sc_view);
    for (int t = 0; t < EVERYONE; t++)
        explore_fibers[t].now.clock.step[t] = 1;
}

/* What setup did happened before every thread, and what they did before finish. */
void explore_memory_spawn(void) {
    for (int t = 0; t < EXPLORE_THREADS; t++)
        join(&explore_fibers[t].now, &explore_fibers[MAIN].now);
}

void explore_memory_join(void) {
    for (int t = 0; t < EXPLORE_THREADS; t++)
        join(&explore_fibers[MAIN].now, &explore_fibers[t].now);
}

static uint64_t peek(const void *object, unsigned bytes) {
    switch (bytes) {
    case 1:
        return *(const uint8_t *)object;
    case 2:
        return *(const uint16_t *)object;
    case 4:
        return *(const uint32_t *)object;
    default:
        return *(const uint64_t *)object;
    }
}

static void poke(void *object, unsigned bytes, uint64_t value) {
    switch (bytes) {
    case 1:
        *(uint8_t *)object = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)object = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)object = (uint32_t)value;
        break;
    default:
        *(uint64_t *)object = value;
    }
}

static uint64_t cut(uint64_t value, unsigned bytes) {
    return bytes < 8 ? value & ((UINT64_C(1) << bytes * 8) - 1) : value;
}

/* The product's statics begin every execution as they began the first. */
void explore_memory_end(void) {
    for (int i = 0; i < location_count; i++)
        poke(locations[i].object, locations[i].bytes, locations[i].begun);
    explore_plain_end();
}

static struct location *locate(const void *object, unsigned bytes) {
    for (int i = 0; i < location_count; i++)
        if (locations[i].object == object)
            return &locations[i];
    explore_check_alive(object);
    if (location_count == LOCATIONS)
        explore_fail("the explorer has room for 160 atomic objects only");
    struct location *made = &locations[location_count++];
    made->object = (void *)(uintptr_t)object;
    made->bytes = bytes;
    made->begun = peek(object, bytes);
    made->count = 1;
    made->stores[0] = (struct store){.value = made->begun, .event = -1};
    return made;
}

/* For an object that one thread alone uses, or that is written before the threads only. */
static void poke_alone(void *object, unsigned bytes, uint64_t value) {
    explore_remember(object, bytes);
    poke(object, bytes, value);
}

/* ---- What is shared ---------------------------------------------------------------------- */

static bool is_shared(unsigned readers, unsigned writers) {
    unsigned users = readers | writers;
    return writers != 0 && (users & (users - 1)) != 0;
}

static struct known *known_of(const void *object) {
    size_t at = ((uintptr_t)object >> 2) * UINT64_C(0x9E3779B97F4A7C15) >> 52;
    while (known[at % KNOWN].object && known[at % KNOWN].object != object)
        at++;
    struct known *entry = &known[at % KNOWN];
    if (entry->object || explore_now == MAIN)
        return entry;
    if (++known_count == KNOWN)
        explore_fail("the explorer has room for 4095 atomic objects only");
    entry->object = object;
    return entry;
}

/* Before every operation: a point of choice, if threads meet here.
 *
 * An object that one thread alone uses, or nobody writes, is handled as the plain memory that it
 * is: no choice, no history. When an execution proves that wrong, the pass goes on and is made again
 * with what it has found; so the one that counts models every object that is shared. */
static bool meets(const void *object, bool writes) {
    struct known *entry = known_of(object);
    if (explore_now == MAIN)
        return entry->is_shared;
    if (writes)
        entry->writers |= (uint8_t)(1u << explore_now);
    else
        entry->readers |= (uint8_t)(1u << explore_now);
    if (!entry->is_shared && !entry->is_found_shared && is_shared(entry->readers, entry->writers)) {
        entry->is_found_shared = true;
        found_count++;
    }
    if (entry->is_shared)
        explore_point();
    return entry->is_shared;
}

void explore_memory_forget(void) {
    memset(known, 0, sizeof known);
    known_count = found_count = 0;
}

bool explore_memory_learn(void) {
    bool has_learnt = found_count > 0;
    for (int i = 0; i < KNOWN && has_learnt; i++)
        known[i].is_shared |= known[i].is_found_shared;
    found_count = 0;
    return has_learnt;
}

/* What a futex compares. */
uint64_t explore_newest(const void *object, unsigned bytes) {
    if (!meets(object, false))
        return peek(object, bytes);
    const struct location *location = locate(object, bytes);
    return location->stores[location->count - 1].value;
}

/* ---- Sites and mutations ---------------------------------------------------------------- */

struct explore_site *explore_sites(void) {
    return sites;
}

/* Objects that a compiler cache brings from another folder name their files by another way to them. */
static const char *from_src(const char *file) {
    const char *at = strstr(file, "src/");
    return at ? at : file;
}

/* One operation in a header is a site of its own in every file that includes it. */
bool explore_same_place(const struct explore_site *a, const struct explore_site *b) {
    return a == b ||
           (a->line == b->line && a->kind == b->kind &&
            strcmp(from_src(a->file), from_src(b->file)) == 0 && strcmp(a->object, b->object) == 0);
}

/* What runs before the threads only cannot be broken in an interesting way. */
void explore_list(struct explore_site *site) {
    if (explore_now == MAIN)
        return;
    if (!site->is_listed) {
        site->is_listed = true;
        site->next = sites;
        sites = site;
    }
    site->kernels[explore_kernel_number / 64] |= UINT64_C(1) << explore_kernel_number % 64;
}

bool explore_comes_by(int kernel_number, const struct explore_site *site) {
    for (const struct explore_site *s = sites; s; s = s->next)
        if ((s->kernels[kernel_number / 64] >> kernel_number % 64 & 1) &&
            explore_same_place(s, site))
            return true;
    return false;
}

bool explore_is(const struct explore_site *site, enum mutation_kind kind) {
    return explore_mutation.kind == kind && explore_same_place(site, explore_mutation.site);
}

static int order_of(const struct explore_site *site) {
    return explore_is(site, WEAKEN) ? explore_mutation.order : site->order;
}

static int failure_order_of(const struct explore_site *site) {
    return explore_is(site, WEAKEN_FAILURE) ? explore_mutation.order : site->failure_order;
}

/* ---- Operations ------------------------------------------------------------------------- */

static struct fiber *self(void) {
    return &explore_fibers[explore_now];
}

static int index_of(const struct location *location) {
    return (int)(location - locations);
}

static void read_from(struct location *location, int index, int order) {
    int which = index_of(location);
    self()->now.view.oldest[which] = (uint8_t)index;
    join(acquires(order) ? &self()->now : &self()->pending, &location->stores[index].message);
}

/* `carried` is the message of the store that a read-modify-write replaces. */
static void write_to(struct location *location, uint64_t value, int order, int event,
                     const struct knowledge *carried) {
    struct fiber *me = self();
    int which = index_of(location);
    if (location->count == STORES)
        explore_fail("the explorer has room for 64 stores to one object only");
    int index = location->count++;
    struct store *store = &location->stores[index];
    if (store[-1].value != value)
        explore_changes++;
    me->now.view.oldest[which] = (uint8_t)index;
    store->value = value;
    store->event = event;
    store->message = releases(order) ? me->now : me->released;
    store->message.view.oldest[which] = (uint8_t)index;
    if (carried)
        join(&store->message, carried);
    if (releases(order))
        me->now.clock.step[explore_now]++;
    if (order == memory_order_seq_cst)
        sc_view.oldest[which] = (uint8_t)index;
    poke(location->object, location->bytes, value);
}

/* The oldest store that the running thread may read now. */
static int oldest_for(const struct location *location, int order) {
    int which = index_of(location);
    int oldest = self()->now.view.oldest[which];
    if (order == memory_order_seq_cst && sc_view.oldest[which] > oldest)
        oldest = sc_view.oldest[which];
    return oldest;
}

static int choose_store(const struct location *location, int order) {
    int newest = location->count - 1, oldest = oldest_for(location, order);
    if (explore_left.stale == 0)
        return newest;
    int back = (int)explore_pick((unsigned)(newest - oldest + 1));
    if (back > 0)
        explore_left.stale--;
    return newest - back;
}

static int tell(const struct explore_site *site, const struct location *location, int order,
                uint64_t value, uint64_t before, int read, bool failed) {
    int newest = location->stores[location->count - 1].event;
    struct event event = {.site = site,
                          .object = location->object,
                          .order = order,
                          .value = value,
                          .before = before,
                          .from = location->stores[read].event,
                          .newer = -2,
                          .failed = failed};
    if (read < location->count - 1)
        event.newer = newest;
    return explore_trace_add(event);
}

uint64_t explore_load(struct explore_site *site, const void *object, unsigned bytes) {
    int order = order_of(site);
    explore_list(site);
    if (!meets(object, false))
        return peek(object, bytes);
    if (self()->stored_at && self()->locks == 0 && explore_now != MAIN &&
        explore_mutation.kind == NONE)
        self()->stored_at->can_move = true;
    struct location *location = locate(object, bytes);
    int index = choose_store(location, order);
    uint64_t value = location->stores[index].value;
    (void)tell(site, location, order, value, 0, index, false);
    read_from(location, index, order);
    self()->last_load = index_of(location) + 1;
    return value;
}

/* Whether the last load of a thread that now waits for a change has missed one. */
bool explore_reads_old(const struct fiber *fiber) {
    int which = fiber->last_load - 1;
    return which >= 0 && fiber->now.view.oldest[which] < locations[which].count - 1;
}

void explore_catch_up(struct fiber *fiber) {
    int which = fiber->last_load - 1;
    if (which >= 0)
        fiber->now.view.oldest[which] = (uint8_t)(locations[which].count - 1);
}

static void store_now(struct explore_site *site, struct location *location, uint64_t value) {
    int order = order_of(site);
    int event = explore_trace_add((struct event){.site = site,
                                                 .object = location->object,
                                                 .order = order,
                                                 .value = value,
                                                 .from = -2,
                                                 .newer = -2});
    write_to(location, value, order, event, NULL);
}

void explore_store(struct explore_site *site, void *object, unsigned bytes, uint64_t value) {
    explore_list(site);
    explore_flush_delayed();
    bool is_met = meets(object, true);
    if (explore_is(site, SKIP) && explore_now != MAIN)
        return;
    if (!is_met) {
        poke_alone(object, bytes, value);
        return;
    }
    self()->stored_at = site;
    struct location *location = locate(object, bytes);
    if (explore_is(site, DELAY) && explore_now != MAIN)
        self()->delayed = (struct delayed){site, location, cut(value, bytes)};
    else
        store_now(site, location, cut(value, bytes));
}

/* The store that a compiler has moved behind the loads that follow it. */
void explore_flush_delayed(void) {
    struct delayed delayed = self()->delayed;
    self()->delayed.site = NULL;
    self()->stored_at = NULL;
    if (!delayed.site)
        return;
    (void)meets(delayed.location->object, true);
    store_now(delayed.site, delayed.location, delayed.value);
}

static uint64_t updated(enum explore_kind kind, uint64_t old, uint64_t operand) {
    if (kind == EXPLORE_ADD)
        return old + operand;
    return kind == EXPLORE_SUB ? old - operand : operand;
}

/* Read-modify-write: reads the newest store, and its own comes right behind. */
static void replace(struct explore_site *site, struct location *location, uint64_t value) {
    int order = order_of(site), index = location->count - 1;
    struct knowledge carried = location->stores[index].message;
    int event = tell(site, location, order, value, location->stores[index].value, index, false);
    read_from(location, index, order);
    write_to(location, value, order, event, &carried);
}

uint64_t explore_update(struct explore_site *site, void *object, unsigned bytes, uint64_t operand) {
    explore_list(site);
    explore_flush_delayed();
    if (!meets(object, true)) {
        uint64_t found = peek(object, bytes);
        poke_alone(object, bytes, updated(site->kind, found, operand));
        return found;
    }
    struct location *location = locate(object, bytes);
    uint64_t old = location->stores[location->count - 1].value;
    replace(site, location, cut(updated(site->kind, old, operand), bytes));
    return old;
}

/* A CAS that finds something else than expected is a load and may find an old value. It succeeds
 * if the newest is as expected, or (C11 lets it compare an old one) fails on another one. */
static int choose_outcome(const struct location *location, uint64_t expected, int order) {
    int newest = location->count - 1, oldest = oldest_for(location, order);
    int fits[STORES];
    unsigned count = 0;
    for (int i = newest; i >= oldest; i--)
        if (i == newest || (explore_left.stale > 0 && location->stores[i].value != expected))
            fits[count++] = i;
    int index = fits[explore_pick(count)];
    if (index != newest)
        explore_left.stale--;
    return index;
}

static bool cas_alone(void *object, unsigned bytes, uint64_t *expected, uint64_t value,
                      bool is_blind) {
    uint64_t found = peek(object, bytes);
    bool done = is_blind || found == cut(*expected, bytes);
    if (done)
        poke_alone(object, bytes, value);
    else
        *expected = found;
    return done;
}

bool explore_cas(struct explore_site *site, void *object, unsigned bytes, uint64_t *expected,
                 uint64_t value) {
    explore_list(site);
    explore_flush_delayed();
    if (!meets(object, true))
        return cas_alone(object, bytes, expected, value, explore_is(site, BLIND));
    struct location *location = locate(object, bytes);
    int newest = location->count - 1, order = failure_order_of(site);
    *expected = cut(*expected, bytes);
    int index = explore_is(site, BLIND) ? newest : choose_outcome(location, *expected, order);
    uint64_t found = location->stores[index].value;
    bool done = explore_is(site, BLIND) || (index == newest && found == *expected);
    if (done) {
        replace(site, location, cut(value, bytes));
    } else {
        (void)tell(site, location, order, found, *expected, index, true);
        read_from(location, index, order);
        *expected = found;
    }
    return done;
}

static void agree(struct fiber *fiber) {
    join_views(&sc_view, &fiber->now.view);
    join_views(&fiber->now.view, &sc_view);
}

static void fence(int order) {
    struct fiber *me = self();
    if (acquires(order))
        join(&me->now, &me->pending);
    if (order == memory_order_seq_cst)
        agree(me);
    if (releases(order)) {
        me->released = me->now;
        me->now.clock.step[explore_now]++;
    }
}

void explore_fence(struct explore_site *site) {
    explore_list(site);
    explore_flush_delayed();
    explore_point();
    if (explore_is(site, SKIP))
        return;
    (void)explore_trace_add((struct event){
        .site = site, .object = NULL, .order = order_of(site), .from = -2, .newer = -2});
    fence(order_of(site));
}

void explore_membarrier(void) {
    static struct explore_site site = {.file = "membarrier",
                                       .kind = EXPLORE_MEMBARRIER,
                                       .object = "membarrier",
                                       .order = memory_order_seq_cst};
    explore_list(&site);
    explore_flush_delayed();
    explore_point();
    if (explore_is(&site, SKIP))
        return;
    explore_trace_say("membarrier begins", NULL, 0);
    fence(memory_order_seq_cst);
    for (int t = 0; t < EXPLORE_THREADS && explore_now != MAIN; t++) {
        if (t == explore_now)
            continue;
        if (explore_fibers[t].state != ENDED)
            explore_point();
        join_views(&explore_fibers[t].now.view, &explore_fibers[t].pending.view);
        agree(&explore_fibers[t]);
    }
    explore_point();
    fence(memory_order_seq_cst);
    explore_trace_say("membarrier ends", NULL, 0);
}
