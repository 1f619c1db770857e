/* SPDX-License-Identifier: MIT
 * P3, the private stack (src/block_pool/stack.h), without a pool around it: the blocks are numbers.
 * Whoever has a number writes its plain word, so that two holders are a data race; at the end each
 * number is in one place, in somebody's hands or in the stack. */
#include "explore_sys.h"

#include "block_pool/stack.h"

#include <stddef.h>

enum { ITEMS = 3, ROOM = 8 };

static struct lido_block_pool pool;
static struct lido__store store;
static union {
    struct lido__magazine magazine;
    char bytes[sizeof(struct lido__magazine) + ROOM * sizeof(lido__slot)];
} memory;
static lido__mutex lock;
static uint64_t items[ITEMS], held[ITEMS]; /* by their holder; how often each was got */

#define NO_BARRIER   "a visitor passes no barrier"
#define NO_LOOK      "who took a step down does not look"
#define NO_STEP_BACK "who finds the stack closed does not take the step back"
#define NO_CLOSING   "a visitor does not close the stack"
#define FROM_BOTTOM  "a second visit begins at the bottom"
#define NO_GATHERING "the owner forgets what a visitor left"

static void setup_with(enum explore_barrier barrier) {
    explore_sys_begin(explore_broken(NO_BARRIER) ? EXPLORE_BARRIER_EMPTY : barrier);
    lido__mutex_init(&lock);
    memory.magazine.capacity = ROOM;
    store.pool = &pool;
    store.magazine = &memory.magazine;
    store.end = memory.magazine.block + ROOM;
    store.is_taken = false;
    store.is_fenced = barrier != EXPLORE_BARRIER_WORKS;
    for (int i = 0; i < ITEMS; i++) {
        held[i] = 0;
        items[i] = 0;
        lido__store(&memory.magazine.block[i], &items[i], relaxed);
    }
    lido__stack_set_count(&store, ITEMS);
    lido__store(&store.near.open, &pool, relaxed);
    explore_name(&store, sizeof store, "store");
    explore_name(&memory, sizeof memory, "slots");
}

static void setup(void) {
    setup_with(EXPLORE_BARRIER_WORKS);
}

static void setup_fenced(void) {
    setup_with(EXPLORE_BARRIER_NEVER);
}

static uint64_t *pop(void) {
    lido__slot *top = lido__load(&store.top, relaxed);
    if (lido__load(&store.near.open, relaxed) != &pool || top == memory.magazine.block)
        return NULL;
    uint64_t *item = lido__load(top - 1, relaxed);
    if (explore_broken(NO_LOOK) || explore_broken(NO_STEP_BACK)) {
        lido__store(&store.top, top - 1, release);
        return !explore_broken(NO_LOOK) && lido__stack_is_shut(&store, &pool, store.is_fenced)
                   ? NULL
                   : item;
    }
    return lido__stack_lower(&store, top, top - 1, &pool, store.is_fenced) ? item : NULL;
}

static bool push(uint64_t *item) {
    if (lido__load(&store.near.open, relaxed) != &pool)
        return false;
    lido__stack_raise(&store, lido__load(&store.top, relaxed), item);
    return true;
}

static void reopen(void) {
    lido__lock(&lock);
    if (store.is_taken) {
        if (explore_broken(NO_GATHERING)) {
            store.is_taken = false;
            lido__stack_set_count(&store, 0);
        } else
            lido__stack_gather(&store);
        lido__store(&store.near.open, &pool, relaxed);
    }
    lido__unlock(&lock);
}

static void hold(uint64_t *item) {
    *item = (uint64_t)explore_thread();
    held[item - items]++;
}

/* Takes one for good, and another one that it puts back. */
static void owner(void) {
    uint64_t *item = pop();
    if (item)
        hold(item);
    item = pop();
    if (!item)
        return;
    *item = (uint64_t)explore_thread();
    if (!push(item))
        hold(item);
}

static void owner_reopens(void) {
    owner();
    reopen();
    uint64_t *item = pop();
    if (item)
        hold(item);
}

static void visit(void) {
    lido__slot *from = NULL;
    if (!explore_broken(NO_CLOSING))
        lido__stack_close(&store);
    (void)lido__gate_barrier();
    if (explore_broken(FROM_BOTTOM))
        store.is_taken = false;
    for (size_t count = lido__stack_take(&store, &from); count-- > 0;)
        hold(lido__load(&from[count], relaxed));
}

static void visitor(void) {
    lido__lock(&lock);
    visit();
    lido__unlock(&lock);
}

static void visitor_twice(void) {
    visitor();
    visitor();
}

static void finish(void) {
    lido__slot *bottom = lido__stack_bottom(&store);
    for (size_t i = 0, count = lido__stack_count(&store); i < count; i++)
        hold(lido__load(&bottom[i], relaxed));
    for (int i = 0; i < ITEMS; i++) {
        explore_check(held[i] >= 1, "a number is lost");
        explore_check(held[i] == 1, "a number was got twice");
    }
}

const struct explore_kernel explore_stack_kernels[] = {
    {.name = "stack_visit",
     .claim = "a number is got by the owner or by the visitor, never by both, and none is lost",
     .preemptions = 3,
     .stale = 3,
     .setup = setup,
     .threads = {{"owner", owner}, {"visitor", visitor}},
     .finish = finish,
     .mutants = {NO_BARRIER, NO_LOOK, NO_STEP_BACK, NO_CLOSING}},
    {.name = "stack_twice",
     .claim = "what a visit left above is found by the next one, or by the owner",
     .preemptions = 3,
     .stale = 2,
     .setup = setup,
     .threads = {{"owner", owner}, {"visitor", visitor_twice}},
     .finish = finish,
     .mutants = {FROM_BOTTOM}},
    {.name = "stack_reopened",
     .claim = "the owner opens the stack again and finds what was left",
     .preemptions = 3,
     .stale = 2,
     .setup = setup,
     .threads = {{"owner", owner_reopens}, {"visitor", visitor_twice}},
     .finish = finish,
     .mutants = {NO_GATHERING}},
    {.name = "stack_fenced",
     .claim = "the same without membarrier, where the owner pays a fence",
     .preemptions = 3,
     .stale = 2,
     .setup = setup_fenced,
     .threads = {{"owner", owner_reopens}, {"visitor", visitor_twice}},
     .finish = finish},
    {.name = NULL},
};
