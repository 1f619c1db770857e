/* SPDX-License-Identifier: MIT
 * Schedules one execution and searches over all of them: see explore.h.
 *
 * A fiber is made once and runs a body again and again: `start` is where its stack is empty but for
 * the loop, so that an execution that failed half-way is left behind by jumping there. Fibers change
 * over by _setjmp and _longjmp, which save no signal mask and so cost no system call. */
#undef _FORTIFY_SOURCE /* its longjmp refuses to go to another stack */
#include "explore_internal.h"

#include <lido/base.h>

#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum {
    OWN_BYTES = 1024,
    CHOICES = 4000,
    STACK_BYTES = 64 * 1024,
    IDLE_ROUNDS = 12,
    IMPATIENT_WAITS = 40
};
enum { ALL_ENDED = 1, FAILED = 2 };

struct place {
    jmp_buf at;
};

struct choice {
    uint16_t taken, count;
};

struct fiber explore_fibers[EVERYONE];
int explore_now = MAIN;
uint64_t explore_changes;
struct bounds explore_left;
const struct explore_kernel *explore_kernel;
int explore_kernel_number;
struct mutation explore_mutation;

static struct place starts[EXPLORE_THREADS], places[EXPLORE_THREADS], home;
static _Alignas(64) char stacks[EXPLORE_THREADS][STACK_BYTES];
static struct choice choices[CHOICES];
static int depth, known; /* choices of this execution, and how many of them are prescribed */
static const char *failure;
static uint64_t time_ns;
static int idle_rounds;
static uint64_t idle_changes;

/* ---- Choices --------------------------------------------------------------------------- */

unsigned explore_pick(unsigned count) {
    if (count < 2 || explore_now == MAIN)
        return 0;
    if (depth == CHOICES)
        explore_fail("the execution does not end: too many choices");
    if (depth == known) {
        choices[depth] = (struct choice){0, (uint16_t)count};
        known++;
    } else if (choices[depth].count != count) {
        explore_fail("the kernel is not deterministic: the same choices led elsewhere");
    }
    return choices[depth++].taken;
}

unsigned explore_choose(unsigned count, const char *what) {
    unsigned taken = explore_pick(count);
    explore_trace_say(what, NULL, taken);
    return taken;
}

/* Moves on to the next execution. False: there is none. */
static bool next_choices(void) {
    for (known = depth; known > 0; known--) {
        struct choice *last = &choices[known - 1];
        if (last->taken + 1 < last->count) {
            last->taken++;
            return true;
        }
    }
    return false;
}

/* ---- Variables of each thread ------------------------------------------------------------ */

/* All _Thread_local variables of this program lie together, in the TLS block of the one real
 * thread. Each fiber has a copy, which is there while it runs. */
static struct {
    char *block;
    size_t bytes;
    char copy[EVERYONE + 1][OWN_BYTES]; /* the last one: as it begins */
} own;

static int find_own(struct dl_phdr_info *info, size_t bytes, void *unused) {
    (void)bytes;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS)
            own.bytes = info->dlpi_phdr[i].p_memsz;
    own.block = info->dlpi_tls_data;
    return 1; /* the program itself comes first */
}

static void change_own(int from, int to) {
    memcpy(own.copy[from], own.block, own.bytes);
    memcpy(own.block, own.copy[to], own.bytes);
}

static void begin_own(void) {
    if (!own.block) {
        (void)dl_iterate_phdr(find_own, NULL);
        if (!own.block || own.bytes > OWN_BYTES)
            explore_fail("the explorer has no room for the thread-local variables");
        memcpy(own.copy[EVERYONE], own.block, own.bytes);
    }
    for (int t = 0; t < EVERYONE; t++)
        memcpy(own.copy[t], own.copy[EVERYONE], own.bytes);
    memcpy(own.block, own.copy[MAIN], own.bytes);
}

/* ---- Fibers ---------------------------------------------------------------------------- */

static void switch_to(int next) {
    int self = explore_now;
    if (next != self)
        change_own(self, next);
    explore_now = next;
    if (next != self && _setjmp(places[self].at) == 0)
        _longjmp(places[next].at, 1);
}

static bool can_go_on(int thread) {
    const struct fiber *fiber = &explore_fibers[thread];
    switch (fiber->state) {
    case READY:
        return true;
    case PAUSED:
        return explore_changes != fiber->changes_seen;
    case LOCKING:
        return ((const lido__mutex *)fiber->waits_for)->taken_by == 0;
    case PARKED:
    case ENDED:
        break;
    }
    return false;
}

/* Those whom only time can wake; it passes when nobody else can go on. */
static bool waits_for_time(int thread) {
    const struct fiber *fiber = &explore_fibers[thread];
    return fiber->state == PARKED && fiber->deadline_ns != LIDO_FOREVER;
}

/* They look again, in turn, in case their patience is a number of looks. */
static bool waits_for_change(int thread) {
    return explore_fibers[thread].state == PAUSED;
}

static unsigned list(bool (*fits)(int), int except, int *threads) {
    unsigned count = 0;
    for (int t = 0; t < EXPLORE_THREADS; t++)
        if (t != except && fits(t))
            threads[count++] = t;
    return count;
}

/* What was stored becomes visible in the end: who waited for it reads the newest now. */
static void wake(int thread) {
    struct fiber *fiber = &explore_fibers[thread];
    if (fiber->state == PAUSED)
        explore_catch_up(fiber);
    fiber->state = READY;
    switch_to(thread);
}

static void let_time_pass(void) {
    int threads[EXPLORE_THREADS];
    if (idle_changes != explore_changes)
        idle_rounds = 0;
    idle_changes = explore_changes;
    if (++idle_rounds > IDLE_ROUNDS)
        explore_fail("nobody can go on: all wait for a change that nobody makes");
    unsigned count = list(waits_for_time, -1, threads);
    if (count > 0) {
        struct fiber *fiber = &explore_fibers[threads[explore_pick(count)]];
        fiber->timed_out = true;
        time_ns = fiber->deadline_ns > time_ns ? fiber->deadline_ns : time_ns;
        wake((int)(fiber - explore_fibers));
        return;
    }
    count = list(waits_for_change, -1, threads);
    if (count == 0)
        explore_fail("deadlock: every thread waits for another");
    wake(threads[(unsigned)idle_rounds % count]);
}

static bool all_ended(void) {
    for (int t = 0; t < EXPLORE_THREADS; t++)
        if (explore_fibers[t].state != ENDED)
            return false;
    return true;
}

/* The running thread cannot go on, or has ended: somebody else does, at no charge. */
static void give_way(void) {
    int threads[EXPLORE_THREADS];
    unsigned count = list(can_go_on, -1, threads);
    if (count == 0) {
        if (all_ended()) {
            change_own(explore_now, MAIN);
            explore_now = MAIN;
            _longjmp(home.at, ALL_ENDED);
        }
        let_time_pass();
        return;
    }
    wake(threads[explore_pick(count)]);
}

void explore_point(void) {
    int threads[EXPLORE_THREADS] = {explore_now};
    if (explore_now == MAIN || explore_left.preemptions == 0)
        return;
    unsigned count = 1 + list(can_go_on, explore_now, threads + 1);
    int next = threads[explore_pick(count)];
    if (next == explore_now)
        return;
    explore_left.preemptions--;
    wake(next);
}

/* A broken kernel may follow a wild pointer. The signal is not blocked when we jump out. */
static void on_bad_address(int signal_number) {
    (void)signal_number;
    explore_fail("a thread used an address that is none");
}

/* Started once per fiber; every execution enters behind the _setjmp. */
static void fiber_main(void) {
    if (_setjmp(starts[explore_now].at) == 0)
        _longjmp(home.at, 1);
    explore_kernel->threads[explore_now].body();
    explore_flush_delayed();
    explore_fibers[explore_now].state = ENDED;
    explore_changes++;
    give_way();
}

static void make_fibers(void) {
    const struct sigaction action = {.sa_handler = on_bad_address, .sa_flags = SA_NODEFER};
    static bool made;
    static ucontext_t context;
    static int t; /* survives the jump home */
    for (t = 0; t < EXPLORE_THREADS && !made; t++) {
        getcontext(&context);
        context.uc_stack.ss_sp = stacks[t];
        context.uc_stack.ss_size = STACK_BYTES;
        context.uc_link = NULL;
        makecontext(&context, fiber_main, 0);
        explore_now = t;
        if (_setjmp(home.at) == 0)
            setcontext(&context);
    }
    (void)sigaction(SIGSEGV, &action, NULL);
    made = true;
    explore_now = MAIN;
}

/* On a stack, or a variable that each thread has for itself. What is below main's frame, as setup
 * and finish have theirs, is on a stack too. */
bool explore_is_private(const void *address) {
    uintptr_t at = (uintptr_t)address, low = (uintptr_t)stacks;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (at >= low && at < low + sizeof stacks)
        return true;
    if (explore_now == MAIN && at >= frame && at < frame + STACK_BYTES)
        return true;
    return at - (uintptr_t)own.block < own.bytes;
}

int explore_thread(void) {
    return explore_now;
}

/* ---- Waiting --------------------------------------------------------------------------- */

/* Whether this wait is one of those whose patience ends while the others stand still. Then so does
 * that of the waits that follow, as many as a bounded wait in naps may consist of. */
static bool loses_patience(struct fiber *self) {
    if (self->impatient_waits == 0 && explore_left.impatience > 0 && explore_pick(2) == 1) {
        explore_left.impatience--;
        self->impatient_waits = IMPATIENT_WAITS;
        explore_trace_say("loses patience while the others stand still", NULL, 0);
    }
    if (self->impatient_waits == 0)
        return false;
    self->impatient_waits--;
    return true;
}

void explore_pause(void) {
    struct fiber *self = &explore_fibers[explore_now];
    if (explore_now == MAIN || loses_patience(self))
        return;
    self->state = PAUSED;
    self->changes_seen = explore_reads_old(self) ? UINT64_MAX : explore_changes;
    give_way();
}

bool explore_park(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
    struct fiber *self = &explore_fibers[explore_now];
    explore_point();
    explore_trace_say("parks on", word, expected);
    if (explore_newest(word, sizeof *word) != expected)
        return true;
    if (deadline_ns != LIDO_FOREVER && (time_ns >= deadline_ns || loses_patience(self))) {
        time_ns = deadline_ns > time_ns ? deadline_ns : time_ns;
        return false;
    }
    self->state = PARKED;
    self->waits_for = word;
    self->deadline_ns = deadline_ns;
    self->timed_out = false;
    give_way();
    explore_trace_say(self->timed_out ? "times out on" : "wakes on", word, 0);
    return !self->timed_out;
}

void explore_wakes(struct explore_site *site) {
    explore_list(site);
    explore_fibers[explore_now].wakes_at = site;
}

void explore_unpark(_Atomic uint32_t *word, int count) {
    const struct explore_site *site = explore_fibers[explore_now].wakes_at;
    explore_fibers[explore_now].wakes_at = NULL;
    if (site && explore_is(site, SKIP))
        return;
    explore_point();
    explore_trace_say("unparks", word, (uint64_t)count);
    int threads[EXPLORE_THREADS];
    for (; count > 0; count--) {
        unsigned found = 0;
        for (int t = 0; t < EXPLORE_THREADS; t++)
            if (explore_fibers[t].state == PARKED && explore_fibers[t].waits_for == word)
                threads[found++] = t;
        if (found == 0)
            return;
        explore_fibers[threads[explore_pick(found)]].state = READY;
    }
}

uint64_t explore_now_ns(void) {
    return time_ns;
}

/* A mutex passes on what its last holder knew, as the real one does. */
static struct knowledge *message_of(lido__mutex *mutex) {
    static struct {
        lido__mutex *mutex;
        uint64_t run;
        struct knowledge message;
    } known_mutexes[8];
    static uint64_t run;
    if (!mutex)
        run++;
    for (int i = 0; mutex && i < 8; i++) {
        if (known_mutexes[i].run == run && known_mutexes[i].mutex != mutex)
            continue;
        if (known_mutexes[i].run != run)
            memset(&known_mutexes[i].message, 0, sizeof known_mutexes[i].message);
        known_mutexes[i].run = run;
        known_mutexes[i].mutex = mutex;
        return &known_mutexes[i].message;
    }
    if (mutex)
        explore_fail("the explorer has room for 8 mutexes only");
    return NULL;
}

void explore_lock(struct explore_site *site, lido__mutex *mutex) {
    struct fiber *self = &explore_fibers[explore_now];
    explore_list(site);
    explore_flush_delayed();
    explore_point();
    if (explore_is(site, SKIP) && explore_now != MAIN) {
        self->goes_without = mutex;
        return;
    }
    while (mutex->taken_by != 0) {
        if (explore_now == MAIN || mutex->taken_by == (uint64_t)explore_now + 1)
            explore_fail("a thread locks a mutex that it holds");
        self->state = LOCKING;
        self->waits_for = mutex;
        give_way();
    }
    explore_remember(mutex, sizeof *mutex);
    mutex->taken_by = (uint64_t)explore_now + 1;
    self->locks++;
    explore_trace_say("locks", mutex, 0);
    explore_pass(message_of(mutex), &self->now);
}

void explore_unlock(lido__mutex *mutex) {
    struct fiber *self = &explore_fibers[explore_now];
    if (self->goes_without == mutex) {
        explore_point();
        self->goes_without = NULL;
        return;
    }
    if (mutex->taken_by != (uint64_t)explore_now + 1)
        explore_fail("a thread unlocks a mutex that it does not hold");
    explore_flush_delayed();
    explore_point();
    mutex->taken_by = 0;
    self->locks--;
    explore_trace_say("unlocks", mutex, 0);
    explore_pass(&self->now, message_of(mutex));
    self->now.clock.step[explore_now]++;
}

/* ---- One execution, and all of them ------------------------------------------------------ */

_Noreturn void explore_fail(const char *text) {
    failure = text;
    _longjmp(home.at, FAILED);
}

bool explore_broken(const char *rule) {
    return explore_mutation.kind == RULE && strcmp(explore_mutation.rule, rule) == 0;
}

static void begin(struct bounds bounds) {
    failure = NULL;
    depth = 0;
    time_ns = LIDO_SECONDS(1);
    idle_rounds = 0;
    explore_changes = 0;
    explore_left = bounds;
    explore_now = MAIN;
    memset(explore_fibers, 0, sizeof explore_fibers);
    begin_own();
    explore_trace_begin();
    explore_memory_begin();
    (void)message_of(NULL);
    for (int t = 0; t < EXPLORE_THREADS; t++) {
        places[t] = starts[t];
        if (!explore_kernel->threads[t].body)
            explore_fibers[t].state = ENDED;
    }
}

/* The first thread is chosen from outside, so it is prescribed like any other choice. */
static void start_threads(void) {
    int threads[EXPLORE_THREADS];
    unsigned count = list(can_go_on, -1, threads);
    explore_now = threads[0];
    explore_now = threads[explore_pick(count)];
    change_own(MAIN, explore_now);
    _longjmp(places[explore_now].at, 1);
}

static void run_once(struct bounds bounds) {
    begin(bounds);
    int how = _setjmp(home.at);
    if (how == 0) {
        explore_kernel->setup();
        explore_memory_spawn();
        start_threads();
    }
    explore_now = MAIN;
    if (how == ALL_ENDED) {
        explore_memory_join();
        if (_setjmp(home.at) == 0 && explore_kernel->finish)
            explore_kernel->finish();
    }
    explore_memory_end();
}

/* A pass that took something for private that is shared proves nothing, nor does its failure. */
static struct result search_within(struct bounds bounds) {
    struct result result;
    do {
        result = (struct result){0};
        known = 0;
        do {
            run_once(bounds);
            result.executions++;
            result.failure = failure;
            result.cut = result.executions >= bounds.executions;
        } while (!failure && !result.cut && next_choices());
    } while (explore_memory_learn());
    return result;
}

static int least(int a, int b) {
    return a < b ? a : b;
}

int explore_widest(struct bounds bounds) {
    return bounds.preemptions > bounds.stale ? bounds.preemptions : bounds.stale;
}

struct result explore_search_at(const struct explore_kernel *kernel, struct bounds bounds,
                                struct mutation mutation, int width) {
    make_fibers();
    if (explore_kernel != kernel)
        explore_memory_forget();
    explore_kernel = kernel;
    explore_mutation = mutation;
    bounds.preemptions = least(width, bounds.preemptions);
    bounds.stale = least(width, bounds.stale);
    return search_within(bounds);
}

/* Narrow bounds first: they find out cheaply what is shared, and fail with a short trace. */
struct result explore_search(const struct explore_kernel *kernel, struct bounds bounds,
                             struct mutation mutation) {
    struct result result = {0};
    for (int width = 0; width <= explore_widest(bounds) && !result.failure && !result.cut; width++)
        result = explore_search_at(kernel, bounds, mutation, width);
    return result;
}
