/* SPDX-License-Identifier: MIT
 * P1, the owner gate (src/base/gate.h), against every visitor that it can have.
 *
 * The private store is a magazine of numbers; a second one hangs on it. Whoever gets a number owns
 * it alone: at the end each number must have been found exactly once, in a thread's hands or in a
 * magazine, and plain accesses to a magazine must be ordered throughout. */
#include "explore_sys.h"

#include "base/gate.h"
#include "base/mutex.h"

#include <lido/base.h>

enum { ITEMS = 4, PATIENCE_NS = 50000 };
enum { NOBODY, OWNER, VISITOR };

struct magazine {
    uint32_t count;
    uint32_t items[ITEMS];
    uint32_t visits;        /* by visitors that gave it back */
    uint32_t found;         /* by finish */
    struct magazine *spare; /* Bonwick's second magazine: reachable from the first alone */
};

static struct magazine empty, first, second;
static lido__gate gate;
static lido__mutex lock;              /* of the visitors, and of the owner's end */
static struct magazine *depot[ITEMS]; /* guarded by lock */
static uint32_t depot_count;          /* guarded by lock */
static bool ended;                    /* guarded by lock: the owner is gone */
static uint32_t settled;              /* visits that got something */
static _Atomic(uint32_t) turn_of;     /* where a kernel wants an order of things */
static lido__gate gate_two;
static _Atomic(uint32_t) free_slot, sleepers, wakes;
static uint32_t owned[EXPLORE_THREADS + 1][ITEMS]; /* by thread: how often it got each number */

static void fill(struct magazine *magazine, uint32_t from, uint32_t count) {
    *magazine = (struct magazine){.count = count};
    for (uint32_t i = 0; i < count; i++)
        magazine->items[i] = from + i;
}

static void setup_with(enum explore_barrier barrier) {
    explore_sys_begin(barrier);
    fill(&empty, 0, 0);
    fill(&first, 0, 2);
    fill(&second, 2, 2);
    depot_count = settled = 0;
    ended = false;
    for (int t = 0; t <= EXPLORE_THREADS; t++)
        for (uint32_t i = 0; i < ITEMS; i++)
            owned[t][i] = 0;
    lido__mutex_init(&lock);
    lido__gate_init(&gate, &first);
    lido__store(&turn_of, NOBODY, relaxed);
    lido__store(&free_slot, 0, relaxed);
    lido__store(&sleepers, 0, relaxed);
    lido__store(&wakes, 0, relaxed);
    explore_name(&empty, sizeof empty, "empty");
    explore_name(&first, sizeof first, "first");
    explore_name(&second, sizeof second, "second");
    explore_name(&lock, sizeof lock, "the lock");
}

static void setup(void) {
    setup_with(EXPLORE_BARRIER_WORKS);
}

static void setup_two(void) {
    setup();
    lido__gate_init(&gate_two, &second);
}

static void setup_spare(void) {
    setup();
    first.spare = &second;
}

static void setup_fenced(void) {
    setup_with(EXPLORE_BARRIER_NEVER);
}

static void setup_gone(void) {
    setup_with(EXPLORE_BARRIER_GONE);
}

static void setup_goes_away(void) {
    setup_with(EXPLORE_BARRIER_GOES_AWAY);
}

static void own(uint32_t item) {
    owned[explore_thread()][item]++;
}

static void drain(struct magazine *magazine) {
    for (; magazine; magazine = magazine->spare)
        while (magazine->count > 0)
            own(magazine->items[--magazine->count]);
}

static void put_in_depot(struct magazine *magazine) {
    depot[depot_count++] = magazine;
}

static void find(struct magazine *magazine) {
    for (struct magazine *m = magazine; m && m != &empty; m = m->spare)
        explore_check(++m->found == 1, "a magazine is in two hands");
    drain(magazine);
}

/* Empties what is left wherever it is; then every number has been got once. */
static void finish(void) {
    struct magazine *left = lido__gate_close(&gate, &empty);
    explore_check(!ended || left == &empty, "a store came back to an owner that has ended");
    find(left);
    while (depot_count > 0)
        find(depot[--depot_count]);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t times = 0;
        for (int t = 0; t <= EXPLORE_THREADS; t++)
            times += owned[t][i];
        explore_check(times >= 1, "a number is lost");
        explore_check(times == 1, "a number was got twice");
    }
}

/* ---- The owner --------------------------------------------------------------------------- */

#define LEAVES_EARLY "the owner leaves before its work is done"
#define LOCKS_INSIDE "the owner takes a lock inside the gate"
#define NOT_COVERED  "the owner keeps its second magazine where no sentinel covers it"

/* Takes one number on the fast path. False: nothing there. */
static bool get(void) {
    struct magazine *magazine = lido__gate_enter(&gate);
    bool found = magazine->count > 0;
    if (explore_broken(LEAVES_EARLY))
        lido__gate_leave(&gate);
    if (explore_broken(LOCKS_INSIDE))
        lido__lock(&lock);
    if (found)
        own(magazine->items[--magazine->count]);
    if (explore_broken(LOCKS_INSIDE))
        lido__unlock(&lock);
    if (!explore_broken(LEAVES_EARLY))
        lido__gate_leave(&gate);
    return found;
}

/* The same for an owner who knows that its gate is not fenced. */
static void get_unfenced(void) {
    struct magazine *magazine = lido__gate_enter_unfenced(&gate);
    if (magazine->count > 0)
        own(magazine->items[--magazine->count]);
    lido__gate_leave(&gate);
}

static void hand_in(struct magazine *magazine) {
    lido__lock(&lock);
    put_in_depot(magazine);
    lido__unlock(&lock);
}

static void owner_gets(void) {
    (void)get();
    (void)get();
    hand_in(&second);
}

static void owner_gets_unfenced(void) {
    get_unfenced();
    get_unfenced();
    hand_in(&second);
}

/* The slow path changes over from the used-up first magazine to the second, which the owner has
 * just filled, whether a visitor has come between or not. */
static void owner_swaps(void) {
    while (get()) {}
    second.visits = 1;
    if (lido__gate_swap(&gate, &first, &second)) {
        first.visits++;
        hand_in(&first);
    } else if (!lido__gate_swap(&gate, &empty, &second)) {
        hand_in(&second);
    }
    (void)get();
}

/* Turns to the spare magazine inside the gate: both belong to the one store. */
static void turn(void) {
    struct magazine *magazine = lido__gate_enter(&gate);
    struct magazine *spare = explore_broken(NOT_COVERED) ? &second : magazine->spare;
    if (magazine->count == 0 && spare) {
        magazine->spare = NULL;
        spare->spare = magazine;
        if (!lido__gate_swap(&gate, magazine, spare)) {
            spare->spare = NULL;
            magazine->spare = spare;
        }
    }
    lido__gate_leave(&gate);
}

static void owner_turns(void) {
    while (get()) {}
    turn();
    (void)get();
}

static void owner_swaps_later(void) {
    while (lido__load(&turn_of, acquire) != OWNER)
        lido__pause();
    if (!lido__gate_swap(&gate, &first, &second))
        hand_in(&second);
    else
        hand_in(&first);
    lido__store(&turn_of, VISITOR, release);
    (void)get();
}

static void owner_ends(void) {
    hand_in(&second);
    (void)get();
    if (!explore_broken("the owner ends without the lock"))
        lido__lock(&lock);
    drain(lido__gate_close(&gate, &empty));
    ended = true;
    if (!explore_broken("the owner ends without the lock"))
        lido__unlock(&lock);
}

/* ---- Visitors ---------------------------------------------------------------------------- */

static struct magazine *visit(void) {
    struct magazine *taken = lido__gate_take(&gate, &empty);
    if (!taken || explore_broken("the visitor does not wait"))
        return taken;
    bool reached = lido__gate_barrier();
    if (lido__gate_settle(&gate, &empty, taken, reached, PATIENCE_NS) ||
        explore_broken("the visitor keeps what it gave up"))
        return taken;
    return NULL;
}

static void visitor_drains(void) {
    lido__lock(&lock);
    struct magazine *taken = visit();
    drain(taken);
    if (taken) {
        taken->visits++;
        put_in_depot(taken);
        settled++;
    }
    lido__unlock(&lock);
}

/* With all the patience there is, a visit does not fail. */
static void visitor_succeeds(void) {
    lido__lock(&lock);
    struct magazine *taken = lido__gate_take(&gate, &empty);
    if (taken) {
        bool reached = lido__gate_barrier();
        explore_check(lido__gate_settle(&gate, &empty, taken, reached, UINT64_MAX),
                      "the visitor gave up although it had the time");
        drain(taken);
        put_in_depot(taken);
    }
    lido__unlock(&lock);
}

/* A gate where something else was before. */
static void make_and_visit(void) {
    lido__store(&gate.busy, 1, relaxed);
    lido__store(&gate.fenced, 0, relaxed);
    lido__gate_init(&gate, &first);
    hand_in(&second);
    visitor_succeeds();
}

/* Takes one number and gives the rest back: the owner must see what is gone. */
static void visitor_returns(void) {
    lido__lock(&lock);
    struct magazine *taken = visit();
    if (taken)
        taken->visits++;
    if (taken && taken->count > 0)
        own(taken->items[--taken->count]);
    if (taken && !lido__gate_swap(&gate, &empty, taken))
        put_in_depot(taken);
    lido__unlock(&lock);
}

static void visitor_drains_twice(void) {
    visitor_drains();
    visitor_drains();
}

/* The first visit finds out that membarrier has gone; once the owner has swapped after that, a
 * visit must succeed again. */
static void visitor_finds_out(void) {
    visitor_drains();
    lido__store(&turn_of, OWNER, release);
    while (lido__load(&turn_of, acquire) != VISITOR)
        lido__pause();
    visitor_drains();
    explore_check(settled > 0, "no visit succeeds any more");
}

/* ---- Two gates, one barrier -------------------------------------------------------------- */

static void owner_two(void) {
    struct magazine *magazine = lido__gate_enter(&gate_two);
    if (magazine->count > 0)
        own(magazine->items[--magazine->count]);
    lido__gate_leave(&gate_two);
}

static void owner_one(void) {
    (void)get();
}

static void visitor_of_two(void) {
    lido__gate *gates[2] = {&gate, &gate_two};
    struct magazine *taken[2];
    lido__lock(&lock);
    for (int i = 0; i < 2; i++)
        taken[i] = lido__gate_take(gates[i], &empty);
    bool reached = lido__gate_barrier();
    for (int i = 0; i < 2; i++) {
        explore_check(lido__gate_settle(gates[i], &empty, taken[i], reached, UINT64_MAX),
                      "the visitor gave up although it had the time");
        drain(taken[i]);
        put_in_depot(taken[i]);
    }
    lido__unlock(&lock);
}

/* ---- The light fence: no release is missed by one who goes to sleep ----------------------- */

/* The releaser puts a number where the sleeper looks, then looks for sleepers; the sleeper first
 * says that it sleeps, then looks: one of them sees the other. */
#define LOOKS_FIRST "the compiler moves the releaser's look before its store"

static void releaser(void) {
    bool hoisted = explore_broken(LOOKS_FIRST) && lido__load(&sleepers, relaxed) > 0;
    lido__store(&free_slot, 1, release);
    if (!explore_broken("the releaser does not fence"))
        lido__gate_light_fence(&gate);
    if (explore_broken(LOOKS_FIRST) ? hoisted : lido__load(&sleepers, relaxed) > 0) {
        (void)lido__add(&wakes, 1, release);
        lido__sys.unpark(&wakes, 1);
    }
}

static void sleeper(void) {
    lido__store(&sleepers, 1, relaxed);
    uint32_t before = lido__load(&wakes, acquire);
    if (!explore_broken("the sleeper does not fence"))
        (void)lido__gate_barrier();
    while (lido__load(&free_slot, acquire) == 0) {
        (void)lido__sys.park(&wakes, before, LIDO_FOREVER);
        before = lido__load(&wakes, acquire);
    }
}

#define KERNEL(name_, claim_, preemptions_, stale_, impatience_, setup_)                           \
    .name = "gate_" name_, .claim = claim_, .preemptions = preemptions_, .stale = stale_,          \
    .impatience = impatience_, .setup = setup_

const struct explore_kernel explore_gate_kernels[] = {
    {KERNEL("fast", "a number is got by the owner or by the visitor, never by both", 4, 3, 0,
            setup),
     .threads = {{"owner", owner_gets}, {"visitor", visitor_succeeds}}, .finish = finish,
     .mutants = {LEAVES_EARLY, LOCKS_INSIDE}},
    {KERNEL("unfenced", "an owner who knows that its gate is not fenced need not look", 4, 2, 0,
            setup),
     .threads = {{"owner", owner_gets_unfenced}, {"visitor", visitor_returns}}, .finish = finish},
    {KERNEL("return", "the owner sees what a visitor did to a store that came back", 3, 2, 0,
            setup),
     .threads = {{"owner", owner_swaps}, {"visitor", visitor_returns}}, .finish = finish},
    {KERNEL("end", "an owner that ends leaves nothing behind", 4, 3, 1, setup),
     .threads = {{"owner", owner_ends}, {"visitor", visitor_drains}}, .finish = finish,
     .mutants = {"the owner ends without the lock"}},
    {KERNEL("sleeper", "a release is not missed by one who goes to sleep", 4, 3, 0, setup),
     .threads = {{"releaser", releaser}, {"sleeper", sleeper}},
     .mutants = {LOOKS_FIRST, "the sleeper does not fence"}},
    {KERNEL("sleeper_fenced", "the same without membarrier", 4, 3, 0, setup_fenced),
     .threads = {{"releaser", releaser}, {"sleeper", sleeper}},
     .mutants = {"the releaser does not fence", "the sleeper does not fence"}},
    {KERNEL("mends", "after membarrier has gone away, a visit succeeds once the owner has swapped",
            3, 2, 0, setup_gone),
     .threads = {{"owner", owner_swaps_later}, {"visitor", visitor_finds_out}}, .finish = finish},
    {KERNEL("goes_away", "when membarrier goes away, no number is lost or got twice", 3, 2, 0,
            setup_goes_away),
     .threads = {{"owner", owner_swaps}, {"visitor", visitor_drains_twice}}, .finish = finish},
    {KERNEL("fenced", "without membarrier the gate keeps its promise by a fence", 3, 3, 0,
            setup_fenced),
     .threads = {{"owner", owner_swaps}, {"visitor", visitor_drains}}, .finish = finish},
    {KERNEL("made", "a gate is as good where something else was before", 1, 1, 0, setup_fenced),
     .threads = {{"maker", make_and_visit}}, .finish = finish},
    {KERNEL("patience", "a visitor that gives up leaves the store whole with its owner", 3, 2, 1,
            setup),
     .threads = {{"owner", owner_swaps}, {"visitor", visitor_drains}}, .finish = finish,
     .mutants = {"the visitor keeps what it gave up"}},
    {KERNEL("two", "one barrier serves several gates", 3, 2, 0, setup_two),
     .threads = {{"owner", owner_one}, {"owner 2", owner_two}, {"visitor", visitor_of_two}},
     .finish = finish},
    {KERNEL("slow", "a magazine that the owner swaps in is lost to nobody and got by one", 3, 2, 0,
            setup),
     .threads = {{"owner", owner_swaps}, {"visitor", visitor_drains_twice}}, .finish = finish,
     .mutants = {"the visitor does not wait"}},
    {KERNEL("spare", "a visitor gets the spare magazine with the first", 3, 2, 0, setup_spare),
     .threads = {{"owner", owner_turns}, {"visitor", visitor_drains}}, .finish = finish,
     .mutants = {NOT_COVERED}},
    {.name = NULL},
};
