/* SPDX-License-Identifier: MIT
 * The ring: its life, its calls, and what they do when they cannot go on at once. The fast half is
 * R1 in fast.h; sleeping is R2 in bell.h.
 *
 * Who sleeps. Removers sleep on the bell `items`, which inserts strike; inserters on `room`, which
 * removes strike. One change wakes one sleeper, though an item can be out of reach when it is put
 * in, behind a position whose insert has not ended:
 *
 *      S1  Who comes out of a sleep with something, and sees more for others, strikes for one more.
 *      S2  Who comes out of a sleep and finds the ring closed and done with strikes for all: the last
 *          item woke one of them only, and may have gone to somebody who never slept.
 *
 * Lock order: a ring's two bells in the order items, room; both only for fork. */
#include "ring/fast.h"

#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"

#include <stddef.h>
#include <string.h>

#ifndef LIDO_RING_SPINS
#define LIDO_RING_SPINS 64 /* looks before a sleep: some microseconds; the explorer wants none */
#endif

/* ---- Life of a ring ---------------------------------------------------------------------- */

static struct lido_ring *of(struct lido__resource *resource) {
    return (struct lido_ring *)(void *)((char *)resource - offsetof(struct lido_ring, resource));
}

static void kind_lock(struct lido__resource *resource) {
    lido__lock(&of(resource)->items.lock);
    lido__lock(&of(resource)->room.lock);
}

static void kind_unlock(struct lido__resource *resource) {
    lido__unlock(&of(resource)->room.lock);
    lido__unlock(&of(resource)->items.lock);
}

/* Alone, so without orders: moves the whole items together, from head on, and makes everything
 * behind them free. Threads that are not here leave gaps, and turns that say nothing any more. */
static void close_gaps(struct lido_ring *ring) {
    uint64_t tail = lido__load(&ring->tail, relaxed), head = lido__load(&ring->head, relaxed);
    uint64_t end = head + ring->mask + 1, kept = head;
    for (uint64_t p = head; p != end; p++) {
        struct lido__ring_slot *slot = lido__ring_slot(ring, p);
        if (lido__load(&slot->turn, relaxed) == p + 1)
            lido__ring_slot(ring, kept++)->item = slot->item;
    }
    for (uint64_t p = head; p != end; p++)
        lido__store(&lido__ring_slot(ring, p)->turn, p + (p < kept), relaxed);
    lido__store(&ring->tail, kept | (tail & LIDO__RING_CLOSED), relaxed);
}

static void kind_in_child(struct lido__resource *resource) {
    struct lido_ring *ring = of(resource);
    close_gaps(ring);
    lido__bell_in_child(&ring->room);
    lido__bell_in_child(&ring->items);
}

static const struct lido__kind kind = {
    .name = "ring", .lock = kind_lock, .unlock = kind_unlock, .in_child = kind_in_child};

/* The next good value: what to write instead. */
static uint64_t next_power(uint64_t capacity) {
    uint64_t power = LIDO__RING_CAPACITY_MIN;
    while (power < capacity && power < LIDO__RING_CAPACITY_MAX)
        power *= 2;
    return power;
}

static lido_status check(const lido_ring_options *options) {
    uint64_t capacity = options->capacity;
    if (capacity >= LIDO__RING_CAPACITY_MIN && capacity <= LIDO__RING_CAPACITY_MAX &&
        (capacity & (capacity - 1)) == 0)
        return LIDO_OK;
    return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                      "ring \"%s\": capacity is %u, must be a power of two from %u to %u; use %u",
                      .word = {options->name ? options->name : "unnamed"},
                      .number = {capacity, LIDO__RING_CAPACITY_MIN, LIDO__RING_CAPACITY_MAX,
                                 next_power(capacity)});
}

static lido_status fail_no_memory(const lido_ring_options *options) {
    return LIDO__FAIL(LIDO_ERR_NO_MEMORY,
                      "ring \"%s\": no memory for %u slots of %u bytes; use a smaller capacity",
                      .word = {options->name ? options->name : "unnamed"},
                      .number = {options->capacity, sizeof(struct lido__ring_slot)});
}

static void init(struct lido_ring *ring, struct lido__ring_slot *slots, uint64_t capacity) {
    memset(ring, 0, sizeof *ring);
    ring->resource.panel = &lido__ring_panel;
    ring->resource.context = ring;
    ring->slots = slots;
    ring->mask = capacity - 1;
    for (uint64_t i = 0; i < capacity; i++)
        lido__store(&slots[i].turn, i, relaxed); /* nobody else has the ring yet */
    lido__bell_init(&ring->items, &ring->items_watched);
    lido__bell_init(&ring->room, &ring->room_watched);
}

lido_status lido_ring_create_at(const lido_ring_options *given, lido_ring **made,
                                const char *site) {
    lido_ring_options options;
    *made = NULL;
    lido_status status = lido__options_read(given, &options, sizeof options, "lido_ring_options");
    if (status == LIDO_OK)
        status = check(&options);
    if (status != LIDO_OK)
        return status;
    size_t slots_bytes = (size_t)options.capacity * sizeof(struct lido__ring_slot);
    struct lido_ring *ring = lido__sys.alloc(sizeof *ring, LIDO__RING_LINE_BYTES);
    struct lido__ring_slot *slots = lido__sys.alloc(slots_bytes, LIDO__RING_LINE_BYTES);
    if (!ring || !slots)
        status = fail_no_memory(&options);
    else {
        init(ring, slots, options.capacity);
        status = lido__resource_name(&ring->resource, &kind, options.name, options.owner);
    }
    if (status == LIDO_OK)
        status = lido__resource_insert(&ring->resource, site);
    if (status != LIDO_OK) {
        lido__sys.free(slots);
        lido__sys.free(ring);
        return status;
    }
    *made = ring;
    return LIDO_OK;
}

/* head first: then there are not fewer inserts than removes. */
static uint64_t length_of(const struct lido_ring *ring, uint64_t *removed) {
    *removed = lido__load(&ring->head, acquire);
    return (lido__load(&ring->tail, relaxed) & ~LIDO__RING_CLOSED) - *removed;
}

lido_status lido_ring_destroy(lido_ring *ring) {
    uint64_t removed, length = ring ? length_of(ring, &removed) : 0;
    if (!ring)
        return LIDO_OK;
    if (length != 0)
        return LIDO__FAIL(LIDO_ERR_BUSY,
                          "ring \"%s\": %u items are in it; close it, remove them, then destroy it",
                          .word = {ring->resource.info.name}, .number = {length});
    lido__resource_remove(&ring->resource);
    lido__bell_end(&ring->items);
    lido__bell_end(&ring->room);
    lido__sys.free(ring->slots);
    lido__sys.free(ring);
    return LIDO_OK;
}

/* ---- Closed ------------------------------------------------------------------------------ */

/* Whether nothing can be put in any more, or, for removers, taken out. */
static bool is_over(const struct lido_ring *ring, bool removes) {
    if (lido__load(&ring->is_closed, relaxed) == 0)
        return false;
    uint64_t head = lido__load(&ring->head, relaxed);
    uint64_t tail = lido__load(&ring->tail, relaxed);
    return (tail & LIDO__RING_CLOSED) && (!removes || (tail & ~LIDO__RING_CLOSED) == head);
}

static lido_status fail_closed(const struct lido_ring *ring, bool removes) {
    return LIDO__FAIL(
        LIDO_ERR_CLOSED, "ring \"%s\": it was closed%s; make another to go on",
        .word = {ring->resource.info.name, removes ? " and nothing is left in it" : ""});
}

/* I3 of fast.h. strike's fence stands between the bit and the look at who sleeps (R2). */
void lido_ring_close(lido_ring *ring) {
    uint64_t tail = lido__load(&ring->tail, relaxed);
    while (!(tail & LIDO__RING_CLOSED))
        if (lido__cas(&ring->tail, &tail, tail | LIDO__RING_CLOSED, relaxed, relaxed))
            break;
    lido__store(&ring->is_closed, 1, relaxed);
    lido__bell_strike(&ring->items, UINT32_MAX);
    lido__bell_strike(&ring->room, UINT32_MAX);
}

/* ---- Waiting ----------------------------------------------------------------------------- */

/* timeout_ns counts from the first wait; LIDO_FOREVER: the deadline alone does. */
struct patience {
    uint64_t timeout_ns, deadline_ns;
};

/* One side of the ring: `from` for inserts, `to` for removes; the other is NULL. */
struct transfer {
    uint64_t count;
    void *const *from;
    void **to;
};

static uint64_t move(struct lido_ring *ring, const struct transfer *what) {
    return what->to ? lido__ring_take(ring, what->count, what->to)
                    : lido__ring_put(ring, what->count, what->from);
}

static bool can_move(const struct lido_ring *ring, bool removes) {
    int64_t ahead;
    uint64_t at = lido__load(removes ? &ring->head : &ring->tail, relaxed);
    return lido__ring_ready(ring, at, removes, 1, &ahead) == 1;
}

static uint64_t deadline_of(struct patience *patience) {
    if (patience->timeout_ns != LIDO_FOREVER) {
        uint64_t now_ns = lido__sys.now_ns();
        bool ends = patience->timeout_ns < LIDO_FOREVER - now_ns;
        patience->deadline_ns = ends ? now_ns + patience->timeout_ns : LIDO_FOREVER;
        patience->timeout_ns = LIDO_FOREVER;
    }
    return patience->deadline_ns;
}

/* Sleeps until something could be moved; at the deadline it looks once more, as a told sleeper must.
 * Returns how many. */
static uint64_t sleep_for(struct lido_ring *ring, const struct transfer *what,
                          uint64_t deadline_ns) {
    bool removes = what->to != NULL, is_in_time = true, ended = false;
    struct lido__bell *bell = removes ? &ring->items : &ring->room;
    uint64_t moved = 0;
    lido__bell_enter(bell);
    for (;;) {
        uint32_t seen = lido__bell_listen(bell);
        moved = move(ring, what);
        ended = moved == 0 && is_over(ring, removes);
        if (moved || ended || !is_in_time)
            break;
        is_in_time = lido__bell_sleep(bell, seen, deadline_ns);
    }
    lido__bell_leave(bell, !moved && !ended);
    if (ended || is_over(ring, removes))
        lido__bell_strike(bell, UINT32_MAX); /* S2 */
    else if (moved && can_move(ring, removes))
        lido__bell_strike(bell, 1); /* S1 */
    return moved;
}

static lido_status fail_late(const struct lido_ring *ring, bool removes, uint64_t timeout_ns) {
    const char *name = ring->resource.info.name, *how = removes ? "empty" : "full";
    if (timeout_ns == LIDO_FOREVER)
        return LIDO__FAIL(LIDO_ERR_TIMEOUT,
                          "ring \"%s\": it was %s up to the deadline; wait longer, or see to it "
                          "that others keep up",
                          .word = {name, how});
    return LIDO__FAIL(
        LIDO_ERR_TIMEOUT,
        "ring \"%s\": it was %s for %t; wait longer, or see to it that others keep up",
        .word = {name, how}, .number = {timeout_ns});
}

/* After a first look in vain. Returns how many could be moved in time; 0: lido_last_status() says
 * why. noinline, so that calls that need not wait stay short. */
__attribute__((noinline)) static uint64_t
wait_for(struct lido_ring *ring, const struct transfer *what, struct patience *patience) {
    bool removes = what->to != NULL;
    uint64_t moved = 0, timeout_ns = patience->timeout_ns;
    for (int spin = 0; spin < LIDO_RING_SPINS && !moved && patience->timeout_ns != 0; spin++) {
        lido__pause();
        if (can_move(ring, removes))
            moved = move(ring, what);
        else if (is_over(ring, removes))
            break;
    }
    if (!moved && !is_over(ring, removes) && patience->timeout_ns != 0)
        moved = sleep_for(ring, what, deadline_of(patience));
    if (moved)
        return moved;
    if (is_over(ring, removes))
        (void)fail_closed(ring, removes);
    else
        (void)fail_late(ring, removes, timeout_ns);
    return 0;
}

/* A try that found nothing. */
__attribute__((noinline)) static lido_status refuse(struct lido_ring *ring, bool removes) {
    const char *name = ring->resource.info.name;
    if (is_over(ring, removes))
        return fail_closed(ring, removes);
    if (removes)
        return LIDO__FAIL(LIDO_ERR_EMPTY,
                          "ring \"%s\": it is empty; come later, or wait with a timeout",
                          .word = {name});
    (void)lido__add(&ring->refused_full, 1, relaxed);
    return LIDO__FAIL(LIDO_ERR_LIMIT,
                      "ring \"%s\": it is full, its capacity is %u; come later, wait with a "
                      "timeout, or make it larger",
                      .word = {name}, .number = {ring->mask + 1});
}

/* ---- One item ---------------------------------------------------------------------------- */

static lido_status insert(lido_ring *ring, void *item, struct patience patience) {
    if (__builtin_expect(lido__ring_put_one(ring, item), 1))
        return LIDO_OK;
    const struct transfer what = {.count = 1, .from = &item};
    return wait_for(ring, &what, &patience) ? LIDO_OK : lido_last_status();
}

lido_status lido_ring_insert(lido_ring *ring, void *item, uint64_t timeout_ns) {
    return insert(ring, item, (struct patience){timeout_ns, LIDO_FOREVER});
}

lido_status lido_ring_insert_until(lido_ring *ring, void *item, uint64_t deadline_ns) {
    return insert(ring, item, (struct patience){LIDO_FOREVER, deadline_ns});
}

lido_status lido_ring_try_insert(lido_ring *ring, void *item) {
    return __builtin_expect(lido__ring_put_one(ring, item), 1) ? LIDO_OK : refuse(ring, false);
}

static lido_status take(lido_ring *ring, void **item, struct patience patience) {
    if (__builtin_expect(lido__ring_take_one(ring, item), 1))
        return LIDO_OK;
    *item = NULL;
    const struct transfer what = {.count = 1, .to = item};
    return wait_for(ring, &what, &patience) ? LIDO_OK : lido_last_status();
}

lido_status lido_ring_remove(lido_ring *ring, uint64_t timeout_ns, void **item) {
    return take(ring, item, (struct patience){timeout_ns, LIDO_FOREVER});
}

lido_status lido_ring_remove_until(lido_ring *ring, uint64_t deadline_ns, void **item) {
    return take(ring, item, (struct patience){LIDO_FOREVER, deadline_ns});
}

lido_status lido_ring_try_remove(lido_ring *ring, void **item) {
    if (__builtin_expect(lido__ring_take_one(ring, item), 1))
        return LIDO_OK;
    *item = NULL;
    return refuse(ring, true);
}

/* ---- Many items -------------------------------------------------------------------------- */

/* A CAS claims what lies side by side and is ready; it is not asked again for the rest, unless
 * nothing at all could be had. */
uint64_t lido_ring_try_insert_many(lido_ring *ring, uint64_t count, void *const items[]) {
    uint64_t moved = lido__ring_put(ring, count, items);
    if (moved < count)
        (void)refuse(ring, false);
    return moved;
}

uint64_t lido_ring_insert_many(lido_ring *ring, uint64_t count, void *const items[],
                               uint64_t timeout_ns) {
    struct patience patience = {timeout_ns, LIDO_FOREVER};
    uint64_t moved = lido__ring_put(ring, count, items);
    while (moved < count) {
        const struct transfer rest = {.count = count - moved, .from = items + moved};
        uint64_t more = wait_for(ring, &rest, &patience);
        if (more == 0)
            break;
        moved += more;
    }
    return moved;
}

uint64_t lido_ring_try_remove_many(lido_ring *ring, uint64_t count, void *items[]) {
    uint64_t moved = lido__ring_take(ring, count, items);
    if (moved < count)
        (void)refuse(ring, true);
    return moved;
}

uint64_t lido_ring_remove_many(lido_ring *ring, uint64_t timeout_ns, uint64_t count,
                               void *items[]) {
    struct patience patience = {timeout_ns, LIDO_FOREVER};
    const struct transfer what = {.count = count, .to = items};
    uint64_t moved = lido__ring_take(ring, count, items);
    return moved || count == 0 ? moved : wait_for(ring, &what, &patience);
}

/* ---- A descriptor for poll --------------------------------------------------------------- */

lido_status lido_ring_open_descriptor(lido_ring *ring, int *descriptor) {
    struct lido__bell *bell = &ring->items;
    lido__lock(&bell->lock);
    int error = bell->descriptor >= 0 ? 0 : lido__sys.event_create(&bell->descriptor);
    if (error)
        bell->descriptor = -1;
    *descriptor = bell->descriptor;
    lido__unlock(&bell->lock);
    if (error)
        return LIDO__FAIL(LIDO_ERR_SYSTEM,
                          "ring \"%s\": no descriptor: eventfd: errno %u; raise the limit of open "
                          "files, or use the calls with a timeout",
                          .word = {ring->resource.info.name}, .number = {(uint64_t)error});
    return LIDO_OK;
}

bool lido_ring_arm(lido_ring *ring) {
    bool is_armed = lido__bell_arm(&ring->items);
    if (is_armed && !can_move(ring, true) && !is_over(ring, true))
        return true;
    lido__bell_disarm(&ring->items);
    return false;
}

/* ---- Watching ---------------------------------------------------------------------------- */

static void read_bell(const struct lido__bell *bell, uint64_t *waits, uint64_t *timeouts,
                      uint64_t *waiting) {
    lido__mutex *lock = (lido__mutex *)(uintptr_t)&bell->lock;
    lido__lock(lock);
    *waits = bell->waits;
    *timeouts = bell->timeouts;
    *waiting = lido__bell_sleepers(bell);
    lido__unlock(lock);
}

lido_status lido_ring_read_stats(const lido_ring *ring, lido_ring_stats *stats) {
    lido_ring_stats now = {.struct_size = sizeof now};
    now.capacity = ring->mask + 1;
    uint64_t length = length_of(ring, &now.removed);
    now.inserted = now.removed + length;
    now.length = length < now.capacity ? length : now.capacity; /* calls under way took some out */
    now.refused_full = lido__load(&ring->refused_full, relaxed);
    read_bell(&ring->room, &now.insert_waits, &now.insert_timeouts, &now.inserters_waiting);
    read_bell(&ring->items, &now.remove_waits, &now.remove_timeouts, &now.removers_waiting);
    now.overhead_bytes = sizeof *ring + now.capacity * sizeof(struct lido__ring_slot);
    return lido__figures_write(stats, &now, sizeof now, "lido_ring_stats");
}
