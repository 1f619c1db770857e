/* SPDX-License-Identifier: MIT
 * The ring as a whole (src/ring): slots (R1), the bell (R2), and who passes a wake on (S1, S2). Each
 * item is a word that its producer writes and its consumer reads, both without any order of their
 * own: an item that is seen before it was written, or that two have, is a data race or a wrong sum. */
#include "explore_sys.h"

#include <lido/ring.h>

enum { ITEMS = 6, CAPACITY = 2 };

static lido_ring *ring;
static uint64_t items[ITEMS];
static uint64_t made; /* items that finish() expects to have been removed */
static uint64_t taken[EXPLORE_THREADS + 1];

static void setup_with(enum explore_barrier barrier, uint64_t filled) {
    explore_sys_begin(barrier);
    explore_name(items, sizeof items, "items");
    lido_status status =
        lido_ring_create(LIDO_RING_OPTIONS(.name = "explored", .capacity = CAPACITY), &ring);
    explore_check(status == LIDO_OK, lido_last_error());
    made = 0;
    for (int i = 0; i < ITEMS; i++)
        items[i] = 0;
    for (int t = 0; t <= EXPLORE_THREADS; t++)
        taken[t] = 0;
    for (uint64_t i = 0; i < filled; i++) {
        items[ITEMS - 1 - i] = 1;
        explore_check(lido_ring_try_insert(ring, &items[ITEMS - 1 - i]) == LIDO_OK, "no room");
    }
    made = filled;
}

static void setup(void) {
    setup_with(EXPLORE_BARRIER_WORKS, 0);
}

static void setup_full(void) {
    setup_with(EXPLORE_BARRIER_WORKS, CAPACITY);
}

static void setup_fenced(void) {
    setup_with(EXPLORE_BARRIER_NEVER, 0);
}

static void setup_goes_away(void) {
    setup_with(EXPLORE_BARRIER_GOES_AWAY, 0);
}

/* ---- What threads do --------------------------------------------------------------------- */

static uint64_t *make(int number) {
    uint64_t *item = &items[explore_thread() * 2 + number];
    *item = 1;
    return item;
}

static void check_item(uint64_t *item) {
    explore_check(*item == 1, "an item was removed twice, or before it was there");
    *item = 2;
    taken[explore_thread()]++;
}

static void put(int number) {
    explore_check(lido_ring_insert(ring, make(number), LIDO_FOREVER) == LIDO_OK,
                  "refused, though somebody will remove");
}

static void get(void) {
    void *item;
    explore_check(lido_ring_remove(ring, LIDO_FOREVER, &item) == LIDO_OK,
                  "refused, though somebody will insert");
    check_item(item);
}

static void put_one(void) {
    put(0);
}

static void put_two(void) {
    put(0);
    put(1);
}

static void get_one(void) {
    get();
}

static void get_two(void) {
    get();
    get();
}

static void try_put_one(void) {
    uint64_t *item = make(0);
    lido_status status = lido_ring_try_insert(ring, item);
    explore_check(status == LIDO_OK || status == LIDO_ERR_LIMIT, "an unexpected refusal");
    if (status != LIDO_OK)
        *item = 0;
}

static void try_get_one(void) {
    void *item;
    lido_status status = lido_ring_try_remove(ring, &item);
    explore_check(status == LIDO_OK || status == LIDO_ERR_EMPTY, "an unexpected refusal");
    if (status == LIDO_OK)
        check_item(item);
}

static void put_both(void) {
    void *both[2] = {make(0), make(1)};
    explore_check(lido_ring_insert_many(ring, 2, both, LIDO_FOREVER) == 2, "not all went in");
}

static void get_both(void) {
    for (uint64_t left = 2; left > 0;) {
        void *some[2];
        uint64_t count = lido_ring_remove_many(ring, LIDO_FOREVER, left, some);
        explore_check(count > 0, "woken for nothing");
        for (uint64_t i = 0; i < count; i++)
            check_item(some[i]);
        left -= count;
    }
}

static void get_hastily(void) {
    void *item;
    lido_status status = lido_ring_remove(ring, LIDO_MILLISECONDS(5), &item);
    explore_check(status == LIDO_OK || status == LIDO_ERR_TIMEOUT, "an unexpected refusal");
    if (status == LIDO_OK)
        check_item(item);
}

static void put_and_close(void) {
    put(0);
    lido_ring_close(ring);
}

static void put_until_closed(void) {
    uint64_t *item = make(0);
    lido_status status = lido_ring_insert(ring, item, LIDO_FOREVER);
    explore_check(status == LIDO_OK || status == LIDO_ERR_CLOSED, "an unexpected refusal");
    if (status != LIDO_OK)
        *item = 0;
}

static void get_until_closed(void) {
    void *item;
    lido_status status;
    while ((status = lido_ring_remove(ring, LIDO_FOREVER, &item)) == LIDO_OK)
        check_item(item);
    explore_check(status == LIDO_ERR_CLOSED, "an unexpected refusal");
}

static void close_ring(void) {
    lido_ring_close(ring);
}

/* Every item was removed once or is still in, and the figures say so. */
static void finish(void) {
    uint64_t present = 0, removed = 0, there = 0;
    void *item;
    lido_ring_stats stats = {.struct_size = sizeof stats};
    explore_check(lido_ring_read_stats(ring, &stats) == LIDO_OK, "no figures");
    explore_check(stats.inserters_waiting + stats.removers_waiting == 0,
                  "a sleeper is left behind");
    for (int i = 0; i < ITEMS; i++)
        present += items[i] == 1;
    while (lido_ring_try_remove(ring, &item) == LIDO_OK) {
        check_item(item);
        there++;
    }
    explore_check(there == present, "an item is lost");
    explore_check(there == stats.length, "the length is wrong");
    for (int t = 0; t <= EXPLORE_THREADS; t++)
        removed += taken[t];
    explore_check(removed == stats.inserted, "not as many were removed as inserted");
}

const struct explore_kernel explore_ring_kernels[] = {
    {.name = "ring_try",
     .claim = "an item arrives whole and once, when two put in and one takes out",
     .preemptions = 2,
     .stale = 1,
     .setup = setup,
     .threads = {{"producer", try_put_one}, {"producer 2", try_put_one}, {"consumer", try_get_one}},
     .finish = finish},
    {.name = "ring_reuse",
     .claim = "a slot is not filled again before it has been read",
     .preemptions = 2,
     .stale = 1,
     .setup = setup_full,
     .threads = {{"producer", try_put_one}, {"consumer", try_get_one}, {"consumer 2", try_get_one}},
     .finish = finish},
    {.name = "ring_sleep",
     .claim = "who sleeps for an item is woken when it comes, and who sleeps for room as well",
     .preemptions = 2,
     .stale = 1,
     .setup = setup,
     .threads = {{"producer", put_one}, {"consumer", get_one}},
     .finish = finish},
    {.name = "ring_room",
     .claim = "who sleeps for room is woken when there is some",
     .preemptions = 2,
     .stale = 1,
     .setup = setup_full,
     .threads = {{"producer", put_two}, {"consumer", get_two}},
     .finish = finish},
    {.name = "ring_two_producers",
     .claim = "two items wake for two, also when the second is there before the first",
     .preemptions = 2,
     .stale = 0,
     .setup = setup,
     .threads = {{"producer", put_one}, {"producer 2", put_one}, {"consumer", get_two}},
     .finish = finish},
    {.name = "ring_two_consumers",
     .claim = "of two sleepers none stays asleep while an item is there for it",
     .preemptions = 1,
     .stale = 0,
     .setup = setup,
     .threads = {{"producer", put_one},
                 {"producer 2", put_one},
                 {"consumer", get_one},
                 {"consumer 2", get_one}},
     .finish = finish},
    {.name = "ring_many",
     .claim = "many at once are as good as one by one",
     .preemptions = 2,
     .stale = 1,
     .setup = setup,
     .threads = {{"producer", put_both}, {"consumer", get_both}},
     .finish = finish},
    {.name = "ring_many_full",
     .claim = "many at once wait for room, and for each other",
     .preemptions = 1,
     .stale = 1,
     .setup = setup_full,
     .threads = {{"producer", put_both}, {"consumer", get_both}, {"consumer 2", get_one}},
     .finish = finish},
    {.name = "ring_give_up",
     .claim = "a sleeper that gives up takes nobody's wake with it",
     .preemptions = 1,
     .stale = 1,
     .impatience = 1,
     .setup = setup,
     .threads = {{"producer", put_one},
                 {"hasty", get_hastily},
                 {"producer 2", put_one},
                 {"consumer", get_one}},
     .finish = finish},
    {.name = "ring_close",
     .claim = "close lets nothing in after it, and everybody go when all is out",
     .preemptions = 1,
     .stale = 1,
     .setup = setup,
     .threads = {{"producer", put_and_close},
                 {"consumer", get_until_closed},
                 {"consumer 2", get_until_closed}},
     .finish = finish},
    {.name = "ring_close_full",
     .claim = "close wakes who sleeps for room",
     .preemptions = 2,
     .stale = 1,
     .setup = setup_full,
     .threads = {{"producer", put_until_closed}, {"closer", close_ring}},
     .finish = finish},
    {.name = "ring_fenced",
     .claim = "sleeping works without membarrier",
     .preemptions = 2,
     .stale = 1,
     .setup = setup_fenced,
     .threads = {{"producer", put_one}, {"consumer", get_one}},
     .finish = finish},
    {.name = "ring_goes_away",
     .claim = "sleeping works when membarrier goes away meanwhile",
     .preemptions = 1,
     .stale = 1,
     .setup = setup_goes_away,
     .threads = {{"producer", put_two}, {"consumer", get_two}},
     .finish = finish},
    {.name = NULL},
};
