/* SPDX-License-Identifier: MIT
 * The lease engine (src/lease): two regimes (P2), the queue (W1, W2), turns (L2), ends of threads.
 *
 * Two lines of object_pool.c stand here as well, so that they can be broken: where a lease is
 * handed out, and where a slot is given back. Everything under them is the product's. A holder
 * writes to the object without any order of his own; two holders are a race or a wrong number. */
#include "explore_sys.h"

#include "base/near.h"
#include "lease/fast.h"
#include "lease/internal.h"
#include "lease/sizing.h"
#include "registry/registry.h"

#include <lido/object_pool.h>

enum { OBJECTS = 8, CALM_CALLS = 1024 };

static struct lido__leases leases;
static uint64_t objects[OBJECTS]; /* who holds each */
static _Atomic(uint32_t) signal;  /* where a kernel wants an order of things */
static lido_lease passed;

/* ---- Rules that can be broken ------------------------------------------------------------ */

#define NO_BARRIER   "who gathers passes no barrier"
#define NO_WAKE      "who frees something wakes nobody"
#define NO_HANDING   "nobody is ever overdue"
#define NO_SETTLING  "a visitor does not wait for owners in their gates"
#define ANY_TURN     "the turn of a lease is not compared"
#define SAME_TURN    "a return leaves the turn as it was"
#define SILENT_LEAVE "who leaves the queue tells nobody"
#define UNRETIRED    "what was retired comes back as if it were not"
#define UNTOLD       "a thread that ends tells threads alone"

/* The linker sends calls from one file of the product to another here (--wrap). */
void __real_lido__leases_unlock_and_wake(struct lido__leases *pool);
void __wrap_lido__leases_unlock_and_wake(struct lido__leases *pool);
void __real_lido__sizing_sample(struct lido__leases *pool);
void __wrap_lido__sizing_sample(struct lido__leases *pool);
bool __real_lido__gate_settle(lido__gate *gate, void *empty, void *taken, bool reached,
                              uint64_t patience_ns);
bool __wrap_lido__gate_settle(lido__gate *gate, void *empty, void *taken, bool reached,
                              uint64_t patience_ns);

bool __real_lido__lease_note_back(struct lido__leases *pool, uint32_t slot);
bool __wrap_lido__lease_note_back(struct lido__leases *pool, uint32_t slot);
bool __real_lido__visit_begin(uint64_t id, struct lido__visit *visit);
bool __wrap_lido__visit_begin(uint64_t id, struct lido__visit *visit);

void __wrap_lido__leases_unlock_and_wake(struct lido__leases *pool) {
    if (explore_broken(NO_WAKE))
        lido__unlock(&pool->lock);
    else
        __real_lido__leases_unlock_and_wake(pool);
}

/* Runs under the lock when somebody has joined the queue, and when a claim ends. */
void __wrap_lido__sizing_sample(struct lido__leases *pool) {
    bool is_in_it = false;
    for (const struct lido__waiter *w = pool->first_waiter; w; w = w->next)
        is_in_it |= w->thread_id == lido__thread_id();
    if (explore_broken(SILENT_LEAVE) && pool->first_waiter && !is_in_it)
        pool->first_waiter->is_woken = true; /* as if it had been told */
    __real_lido__sizing_sample(pool);
}

/* A lease that comes back: its mark is taken off, and forgotten. */
bool __wrap_lido__lease_note_back(struct lido__leases *pool, uint32_t slot) {
    return __real_lido__lease_note_back(pool, slot) && !explore_broken(UNRETIRED);
}

bool __wrap_lido__visit_begin(uint64_t id, struct lido__visit *visit) {
    return !explore_broken(UNTOLD) && __real_lido__visit_begin(id, visit);
}

bool __wrap_lido__gate_settle(lido__gate *gate, void *empty, void *taken, bool reached,
                              uint64_t patience_ns) {
    return explore_broken(NO_SETTLING) ||
           __real_lido__gate_settle(gate, empty, taken, reached, patience_ns);
}

/* ---- A pool ------------------------------------------------------------------------------ */

/* `count` objects are there, idle; order as for leases.bypass. */
static void setup_with(enum explore_barrier barrier, uint64_t count, uint32_t bypass) {
    uint32_t slot;
    explore_sys_begin(explore_broken(NO_BARRIER) ? EXPLORE_BARRIER_EMPTY : barrier);
    explore_check(lido__near_prepare() == LIDO_OK, "no handlers for threads");
    lido__leases_init(&leases, count);
    leases.bypass = explore_broken(NO_HANDING) ? UINT32_MAX : bypass;
    lido__store(&signal, 0, relaxed);
    for (uint64_t i = 0; i < count; i++) {
        explore_check(lido__lease_claim_vacant(&leases, count, &slot) == LIDO_OK, "no slot");
        lido__store(&lido__slot_at(&leases, slot)->object, &objects[i], relaxed);
        explore_check(lido__lease_put(&leases, slot), "no room for a slot");
    }
    explore_name(&leases, sizeof leases, "leases");
    explore_name(objects, sizeof objects, "objects");
}

static void setup_one(void) {
    setup_with(EXPLORE_BARRIER_WORKS, 1, 8);
}

static void setup_two(void) {
    setup_with(EXPLORE_BARRIER_WORKS, 2, 8);
}

/* Enough for threads to take some home. */
static void setup_plenty(void) {
    setup_with(EXPLORE_BARRIER_WORKS, OBJECTS, 8);
}

static void setup_strict(void) {
    setup_with(EXPLORE_BARRIER_WORKS, 1, 0);
}

static void setup_overtaken(void) {
    setup_with(EXPLORE_BARRIER_WORKS, 1, 1);
}

static void setup_goes_away(void) {
    setup_with(EXPLORE_BARRIER_GOES_AWAY, 1, 8);
}

static void setup_fenced(void) {
    setup_with(EXPLORE_BARRIER_NEVER, 1, 8);
}

/* The shared regime, and the next call without a wait ends it. */
static void setup_calm(void) {
    setup_two();
    lido__store(&leases.keep, 0, relaxed);
    leases.calm_calls = CALM_CALLS - 1;
}

/* As acquire and release of object_pool.c do. */
static lido_status get(uint64_t timeout_ns, lido_lease *lease) {
    struct lido__patience patience = {
        .timeout_ns = timeout_ns, .deadline_ns = LIDO_FOREVER, .may_wait = timeout_ns != 0};
    struct lido__lease_store *store = lido__lease_store_of(&leases);
    struct lido__slot *at = store ? lido__lease_take(store) : NULL;
    uint32_t slot = LIDO__NO_SLOT;
    if (!at) {
        lido_status status = lido__lease_claim(&leases, patience, &slot);
        if (status != LIDO_OK)
            return status;
        at = lido__slot_at(&leases, slot);
    }
    lido__lease_write(at, "here", lease);
    return LIDO_OK;
}

static struct lido__slot *take_back(const lido_lease *lease) {
    struct lido__slot *at = lido__slot_find(&leases, lease->slot);
    if (explore_broken(SAME_TURN))
        return at && lido__turn_of(lido__load(&at->name, relaxed)) == lease->turn ? at : NULL;
    if (!explore_broken(ANY_TURN))
        return lido__lease_take_back(&leases, lease, (uint32_t)explore_thread());
    if (at)
        lido__store(&at->name, lido__lease_name(lease) + LIDO__NEXT_TURN, relaxed);
    return at;
}

/* What was taken last comes back by itself; else the slot is looked for. */
static bool put(const lido_lease *lease) {
    struct lido__lease_store *store = lido__lease_store_of(&leases);
    enum lido__given given = LIDO__NOT_GIVEN;
    struct lido__slot *at = NULL;
    lido_lease brought = *lease;
    if (store && !explore_broken(SAME_TURN) && !explore_broken(ANY_TURN))
        given = lido__lease_bring(&leases, store, &brought);
    if (given == LIDO__NOT_GIVEN) {
        at = take_back(lease);
        if (!at)
            return false;
        given = store ? lido__lease_give(&leases, store, at) : LIDO__NOT_GIVEN;
    }
    if (given == LIDO__GIVEN_TOO_MUCH)
        lido__lease_empty_own(&leases, store);
    else if (given == LIDO__NOT_GIVEN)
        explore_check(lido__lease_put(&leases, lido__slot_number(at)),
                      "there is no room for what exists");
    return true;
}

static void hold(const lido_lease *lease) {
    uint64_t *holder = lease->object;
    *holder = (uint64_t)explore_thread();
    explore_check(*holder == (uint64_t)explore_thread(), "an object has two holders");
}

/* All objects can be had at once, and nobody is left in the queue. */
static void finish(void) {
    lido_lease lease[OBJECTS];
    explore_check(leases.waiting == 0 && !leases.first_waiter, "a waiter is left behind");
    lido__lease_gather(&leases);
    for (uint64_t i = 0; i < leases.limit; i++)
        explore_check(get(0, &lease[i]) == LIDO_OK, "an object is lost");
    explore_check(leases.existing == leases.limit && leases.idle_count == 0,
                  "the counts are wrong");
}

/* ---- What threads do --------------------------------------------------------------------- */

static void use(void) {
    lido_lease lease;
    explore_check(get(LIDO_FOREVER, &lease) == LIDO_OK, "refused, though somebody will release");
    hold(&lease);
    explore_check(put(&lease), "a good release was refused");
}

static void use_twice(void) {
    use();
    use();
}

static void use_thrice(void) {
    use_twice();
    use();
}

static void use_if_in_time(void) {
    lido_lease lease;
    lido_status status = get(LIDO_MILLISECONDS(1), &lease);
    explore_check(status == LIDO_OK || status == LIDO_ERR_TIMEOUT, "an unexpected refusal");
    if (status != LIDO_OK)
        return;
    hold(&lease);
    explore_check(put(&lease), "a good release was refused");
}

static void use_and_end(void) {
    use();
    explore_sys_end_thread();
}

static void use_twice_and_end(void) {
    use_twice();
    explore_sys_end_thread();
}

/* Two objects at once: whoever has the other one on his shelf must let it go. */
static void use_both(void) {
    lido_lease lease[2];
    for (int i = 0; i < 2; i++) {
        explore_check(get(LIDO_FOREVER, &lease[i]) == LIDO_OK, "refused, though one will be free");
        hold(&lease[i]);
    }
    for (int i = 0; i < 2; i++)
        explore_check(put(&lease[i]), "a good release was refused");
}

/* A copy of the lease is released again, whoever has the object by then. */
static void release_twice(void) {
    lido_lease lease;
    explore_check(get(LIDO_FOREVER, &lease) == LIDO_OK, "refused, though somebody will release");
    hold(&lease);
    lido_lease copy = lease;
    explore_check(put(&lease), "a good release was refused");
    explore_check(!put(&copy), "a second release was accepted");
}

/* One thread acquires, another releases. */
static void hand_over(void) {
    explore_check(get(LIDO_FOREVER, &passed) == LIDO_OK, "refused, though the object is idle");
    hold(&passed);
    lido__store(&signal, 1, release);
}

static void take_over(void) {
    while (lido__load(&signal, acquire) == 0)
        lido__pause();
    hold(&passed);
    explore_check(put(&passed), "a good release was refused");
}

static void finish_overtaken(void) {
    explore_check(leases.count.overtakes_max <= 1, "a waiter was passed more often than allowed");
    finish();
}

/* Closing waits for what is out. */
static void close_pool(void) {
    explore_check(lido__leases_close(&leases, LIDO_FOREVER) == LIDO_OK, "closing gave up");
    explore_check(leases.idle_count == 1, "closed while an object is out");
}

static void use_unless_closed(void) {
    lido_lease lease;
    lido_status status = get(LIDO_FOREVER, &lease);
    explore_check(status == LIDO_OK || status == LIDO_ERR_CLOSED, "an unexpected refusal");
    if (status != LIDO_OK)
        return;
    hold(&lease);
    explore_check(put(&lease), "a good release was refused");
}

static void finish_closed(void) {
    lido_lease lease;
    explore_check(leases.waiting == 0, "a waiter is left behind");
    explore_check(get(0, &lease) == LIDO_ERR_CLOSED, "a closed pool hands out");
}

/* ---- Requests: waiting without a thread -------------------------------------------------- */

#define KEEPS_SLOT "a cancelled request keeps the slot that it was served"

static struct lido__request request;

static void note_service(void *context) {
    (void)context;
    lido__store(&signal, 1, release);
}

static void give_back(uint32_t slot) {
    lido_lease lease;
    lido__lease_write(lido__slot_at(&leases, slot), "asked", &lease);
    hold(&lease);
    explore_check(put(&lease), "a good release was refused");
}

static void ask(void) {
    request = (struct lido__request){.notify = note_service};
    explore_check(lido__request_begin(&leases, &request) == LIDO_OK, "a request was refused");
}

static void ask_and_cancel(void) {
    uint32_t slot;
    ask();
    if (lido__request_cancel(&leases, &request, &slot) == LIDO__SERVED &&
        !explore_broken(KEEPS_SLOT))
        explore_check(lido__lease_put(&leases, slot), "there is no room for what exists");
}

static void ask_and_poll(void) {
    uint32_t slot;
    lido_status status;
    ask();
    while ((status = lido__request_take(&leases, &request, &slot)) == LIDO_ERR_EMPTY)
        lido__pause();
    explore_check(status == LIDO_OK, "an unexpected refusal");
    give_back(slot);
}

static void ask_and_take(void) {
    uint32_t slot;
    ask();
    while (lido__load(&signal, acquire) == 0)
        lido__pause();
    explore_check(lido__request_take(&leases, &request, &slot) == LIDO_OK, "told, but not served");
    give_back(slot);
}

/* Without waiting: a shelf cannot be reached while its thread goes on. */
static void use_at_once_and_end(void) {
    lido_lease lease;
    if (get(0, &lease) == LIDO_OK) {
        hold(&lease);
        explore_check(put(&lease), "a good release was refused");
    }
    explore_sys_end_thread();
}

static void ask_and_take_and_end(void) {
    ask_and_take();
    explore_sys_end_thread();
}

/* Listed, as who asked is told at a thread's end by a visit. */
static void pass(struct lido__resource *unused) {
    (void)unused;
}

static const struct lido__kind no_kind = {"pool", pass, pass, pass};
static struct lido__resource resource;

static void setup_listed(void) {
    setup_goes_away();
    resource = (struct lido__resource){.kind = &no_kind};
    explore_check(lido__resource_name(&resource, &no_kind, NULL, NULL) == LIDO_OK &&
                      lido__resource_insert(&resource, NULL) == LIDO_OK,
                  "not listed");
    leases.id = resource.info.id;
}

static void finish_listed(void) {
    lido__resource_remove(&resource);
    finish();
}

/* ---- Everything back (P3) ---------------------------------------------------------------- */

static uint64_t retired_count;
static uint32_t ended[OBJECTS]; /* how often */
static uint32_t built;

static void setup_retired(void) {
    setup_one();
    retired_count = 0;
    built = 1;
    for (int i = 0; i < OBJECTS; i++)
        ended[i] = 0;
}

static void end_slot(uint32_t slot) {
    struct lido__slot *at = lido__slot_at(&leases, slot);
    ended[(uint64_t *)lido__load(&at->object, relaxed) - objects]++;
    lido__store(&at->object, NULL, relaxed);
    lido__lease_vacate(&leases, slot);
}

/* As object_pool.c: a slot without an object gets one; what has to end is ended by who brings it. */
static bool get_or_build(uint64_t timeout_ns, lido_lease *lease) {
    struct lido__patience patience = {
        .timeout_ns = timeout_ns, .deadline_ns = LIDO_FOREVER, .may_wait = true};
    struct lido__lease_store *store = lido__lease_store_of(&leases);
    struct lido__slot *at = store ? lido__lease_take(store) : NULL;
    uint32_t slot = LIDO__NO_SLOT;
    if (!at && lido__lease_claim(&leases, patience, &slot) != LIDO_OK)
        return false;
    if (!at)
        at = lido__slot_at(&leases, slot);
    if (!lido__load(&at->object, relaxed)) {
        explore_check(built < OBJECTS, "more is built than ever ended");
        lido__store(&at->object, &objects[built++], relaxed);
    }
    lido__lease_write(at, "here", lease);
    return true;
}

static void put_or_end(const lido_lease *lease) {
    struct lido__lease_store *store = lido__lease_store_of(&leases);
    struct lido__slot *at = take_back(lease);
    uint32_t slot;
    explore_check(at != NULL, "a late release was refused");
    enum lido__given given = store ? lido__lease_give(&leases, store, at) : LIDO__NOT_GIVEN;
    if (given == LIDO__GIVEN_TOO_MUCH && lido__lease_empty_own(&leases, store))
        while ((slot = lido__lease_claim_ending(&leases)) != LIDO__NO_SLOT)
            end_slot(slot);
    else if (given == LIDO__NOT_GIVEN && !lido__lease_put(&leases, lido__slot_number(at)))
        end_slot(lido__slot_number(at));
}

static void use_late(void) {
    lido_lease lease;
    explore_check(get_or_build(LIDO_FOREVER, &lease), "refused, though the object is idle");
    hold(&lease);
    lido__store(&signal, 1, release);
    put_or_end(&lease);
}

static void use_unless_late(void) {
    lido_lease lease;
    if (!get_or_build(LIDO_MILLISECONDS(1), &lease))
        return;
    hold(&lease);
    put_or_end(&lease);
}

static void return_all(void) {
    while (lido__load(&signal, acquire) == 0)
        lido__pause();
    explore_check(lido__leases_return_all(&leases, &retired_count) == LIDO_OK, "not returned");
}

/* What was retired ended once, and has no place any more; what was not is there. */
static void finish_retired(void) {
    lido_lease lease;
    uint64_t ends = 0;
    explore_check(leases.waiting == 0 && !leases.first_waiter, "a waiter is left behind");
    for (int i = 0; i < OBJECTS; i++) {
        explore_check(ended[i] <= 1, "an object ended twice");
        ends += ended[i];
    }
    explore_check(ends == retired_count && leases.count.retired == 0,
                  "what was retired did not end, or something else did");
    explore_check(get_or_build(0, &lease), "the place is lost");
    explore_check(ended[(uint64_t *)lease.object - objects] == 0, "what has ended is handed out");
    explore_check(leases.existing == 1 && leases.idle_count == 0, "the counts are wrong");
}

/* ---- Readers without the lock ------------------------------------------------------------ */

/* As many chunks are there as the first directory has room for, or one fewer. */
static void setup_chunks(uint32_t count) {
    uint32_t slot;
    setup_one();
    leases.limit = LIDO__CHUNK_SLOTS * 5;
    while (leases.slot_count < count * LIDO__CHUNK_SLOTS)
        explore_check(lido__lease_claim_vacant(&leases, leases.limit, &slot) == LIDO_OK, "no slot");
}

static void setup_three_chunks(void) {
    setup_chunks(3);
}

static void setup_four_chunks(void) {
    setup_chunks(4);
}

static void grow(void) {
    uint32_t slot;
    explore_check(lido__lease_claim_vacant(&leases, leases.limit, &slot) == LIDO_OK, "no slot");
}

static void grow_by_two(void) {
    grow();
    grow();
}

/* The slots that were made are different ones. */
static void finish_growth(void) {
    uint32_t slot;
    for (uint32_t i = leases.slot_count; i < LIDO__CHUNK_SLOTS * 5; i++)
        explore_check(lido__lease_claim_vacant(&leases, leases.limit, &slot) == LIDO_OK, "no slot");
    explore_check(leases.existing == leases.limit && leases.slot_count == leases.limit,
                  "a slot was claimed twice");
}

static void look_up(void) {
    for (uint32_t chunk = 3; chunk <= 4; chunk++) {
        struct lido__slot *at = lido__slot_find(&leases, chunk * LIDO__CHUNK_SLOTS);
        if (at)
            explore_check(lido__slot_number(at) == chunk * LIDO__CHUNK_SLOTS,
                          "a slot that is not made yet");
    }
}

static void hold_on(void) {
    lido_lease lease;
    explore_check(get(LIDO_FOREVER, &lease) == LIDO_OK, "refused, though the object is idle");
}

/* As holders.c asks who holds a slot. */
static void ask_for_holder(void) {
    const struct lido__slot *at = lido__slot_at(&leases, 0);
    if (lido__turn_of(lido__load(&at->name, acquire)) & 1)
        explore_check(lido__load(&at->site, relaxed) != NULL, "a holder without a line");
}

#define KERNEL(name_, claim_, preemptions_, stale_, impatience_, setup_, finish_)                  \
    .name = "lease_" name_, .claim = claim_, .preemptions = preemptions_, .stale = stale_,         \
    .impatience = impatience_, .setup = setup_, .finish = finish_

const struct explore_kernel explore_lease_kernels[] = {
    {KERNEL("waits", "who waits beside another's shelf gets what comes back to it", 2, 1, 0,
            setup_one, finish),
     .threads = {{"user", use_twice}, {"waiter", use}},
     .mutants = {NO_BARRIER, NO_WAKE, NO_SETTLING}},
    {KERNEL("shelves", "no object is lost or given twice when the regime turns under it", 1, 1, 0,
            setup_two, finish),
     .threads = {{"user", use_twice}, {"user 2", use_twice}, {"taker", use_both}},
     .mutants = {NO_BARRIER, NO_SETTLING}},
    {KERNEL("takes_home", "what a thread takes home at one go is there for others", 1, 1, 0,
            setup_plenty, finish),
     .threads = {{"user", use_twice}, {"user 2", use}}},
    {KERNEL("impatient",
            "an owner that is not waited for empties its shelf, or is looked for again", 2, 1, 1,
            setup_one, finish),
     .threads = {{"user", use_twice}, {"waiter", use}}},
    {KERNEL("calms", "the way back to shelves loses nothing", 2, 1, 0, setup_calm, finish),
     .threads = {{"user", use_twice}, {"taker", use_both}}},
    {KERNEL("again", "a lease is released once, whoever has the object by then", 2, 1, 0, setup_one,
            finish),
     .threads = {{"twice", release_twice}, {"user", use}}, .mutants = {ANY_TURN, SAME_TURN}},
    {KERNEL("passed_on", "a lease may come back through another thread", 1, 1, 0, setup_one,
            finish),
     .threads = {{"giver", hand_over}, {"taker", take_over}, {"user", use}}},
    {KERNEL("times_out", "a hand-over to one who gives up goes to the next", 1, 1, 1, setup_strict,
            finish),
     .threads = {{"user", use}, {"hasty", use_if_in_time}, {"waiter", use}}, .mutants = {NO_WAKE}},
    {KERNEL("two", "who takes one of two tells the next of the other", 1, 1, 0, setup_two, finish),
     .threads = {{"user", use_both}, {"waiter", use}, {"waiter 2", use}},
     .mutants = {SILENT_LEAVE}},
    {KERNEL("strict", "nobody comes before him who waits", 1, 1, 0, setup_strict, finish),
     .threads = {{"user", use_twice}, {"waiter", use}, {"waiter 2", use}}, .mutants = {NO_WAKE}},
    {KERNEL("overtaken", "a waiter is passed no more often than the pool allows", 2, 0, 0,
            setup_overtaken, finish_overtaken),
     .threads = {{"user", use_thrice}, {"waiter", use}}, .mutants = {NO_HANDING}},
    {KERNEL("ends", "a thread that ends leaves its shelf to those who wait", 1, 1, 0, setup_one,
            finish),
     .threads = {{"ends", use_and_end}, {"waiter", use}, {"waiter 2", use}}, .mutants = {NO_WAKE}},
    {KERNEL("closes", "closing waits for what is out and sends away who waits", 1, 1, 0, setup_one,
            finish_closed),
     .threads = {{"user", use_unless_closed}, {"closer", close_pool}, {"late", use_unless_closed}},
     .mutants = {NO_WAKE}},
    {KERNEL("asks", "who asked is told when it is his turn", 1, 1, 0, setup_one, finish),
     .threads = {{"user", use}, {"asker", ask_and_take}, {"waiter", use}}, .mutants = {NO_WAKE}},
    {KERNEL("polls", "who asks again and again is served as well", 1, 1, 0, setup_one, finish),
     .threads = {{"user", use}, {"asker", ask_and_poll}}},
    {KERNEL("cancels", "of cancelling a request and serving it one wins, and loses nothing", 1, 1,
            0, setup_one, finish),
     .threads = {{"user", use}, {"asker", ask_and_cancel}, {"waiter", use}},
     .mutants = {KEEPS_SLOT, NO_WAKE}},
    {KERNEL("ends_asked", "a thread that ends leaves its shelf to who asked, and tells it", 1, 1, 1,
            setup_listed, finish_listed),
     .threads = {{"ends", use_at_once_and_end},
                 {"asker", ask_and_take_and_end},
                 {"ends too", use_at_once_and_end}},
     .mutants = {UNTOLD}},
    {KERNEL("returns_all",
            "what is out ends once, and its place is for who waits, or gives up just then", 1, 1, 1,
            setup_retired, finish_retired),
     .threads = {{"late", use_late}, {"returner", return_all}, {"hasty", use_unless_late}},
     .mutants = {NO_BARRIER, UNRETIRED}},
    {KERNEL("fenced", "without membarrier all go through the lock", 2, 1, 0, setup_fenced, finish),
     .threads = {{"user", use_twice}, {"waiter", use}}},
    {KERNEL(
         "goes_away",
         "when membarrier goes away, what is on a shelf is there for others when its thread ends",
         1, 1, 0, setup_goes_away, finish),
     .threads = {{"user", use_twice_and_end}, {"waiter", use_twice_and_end}}},
    {KERNEL("grows", "a slot can be looked up while others are made", 2, 2, 0, setup_three_chunks,
            NULL),
     .threads = {{"grower", grow}, {"reader", look_up}}},
    {KERNEL("outgrows", "the same when the directory is replaced", 2, 2, 0, setup_four_chunks,
            NULL),
     .threads = {{"grower", grow}, {"reader", look_up}}},
    {KERNEL("grows_twice", "two that need a chunk at once do not get in each other's way", 2, 1, 0,
            setup_three_chunks, finish_growth),
     .threads = {{"grower", grow_by_two}, {"grower 2", grow_by_two}}},
    {KERNEL("holder", "who sees that a slot is held sees the line that holds it", 2, 2, 0,
            setup_one, NULL),
     .threads = {{"holder", hold_on}, {"reader", ask_for_holder}}},
    {.name = NULL},
};
