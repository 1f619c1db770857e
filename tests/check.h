/* SPDX-License-Identifier: MIT
 * The whole test harness: cmocka, and what lido's tests need beside it. A test program is
 *
 *     static void a_block_keeps_its_address(void **state) { ... }
 *     CHECK_MAIN(TEST(a_block_keeps_its_address), ...)
 *
 * `test_x NAME` runs one case; NAME may hold * and ?. In each test:
 *
 *   checks      CHECK, CHECK_EQ, CHECK_OK, CHECK_FAILS work in every thread and in forked children;
 *               in the main thread a failed one ends the test, elsewhere it is counted.
 *   time        stands still. It moves to the next deadline when every thread of the test waits
 *               (in lido, in a check_gate, in check_join), so no test sleeps. check_real_time()
 *               gives the real clock and futex.
 *   balance     all memory that lido has from the system is back after the test, and the registry is
 *               as it was before it.
 *   failures    check_sweep() makes the k-th fallible call of lido to the system fail, for every k.
 *   randomness  check_random(); the seed is printed, LIDO_SEED replays it.
 */
#ifndef LIDO_TESTS_CHECK_H
#define LIDO_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lido/registry.h>

#include "base/sys.h"
#include "base/thread.h"

#include <fnmatch.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define CHECK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHECK_TSAN 1
#endif
#endif
#ifndef CHECK_TSAN
#define CHECK_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define CHECK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHECK_ASAN 1
#endif
#endif
#ifndef CHECK_ASAN
#define CHECK_ASAN 0
#endif

#if CHECK_TSAN
/* Children of fork are tested here too; ours start no threads that would need what is lost. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "die_after_fork=0";
}
#endif

/* ---- Checks ---------------------------------------------------------------------------- */

static pthread_t check__main_thread;
static bool check__in_child;
static _Atomic int check__failed;    /* checks failed outside the main thread */
static char check__circumstance[80]; /* which failure is injected at the moment */

/* Says what failed; ends the test if this is its thread, or the process if it is a forked child. */
static inline void check__fail(const char *file, int line, const char *text) {
    if (check__in_child) {
        fprintf(stderr, "%s:%d: in a forked child: %s\n", file, line, text);
        _exit(1);
    }
    if (!pthread_equal(pthread_self(), check__main_thread)) {
        fprintf(stderr, "%s:%d: in a thread: %s\n", file, line, text);
        atomic_fetch_add(&check__failed, 1);
        return;
    }
    print_error("%s%s\n", text, check__circumstance);
    _fail(file, line);
}

static inline void check__equal(uint64_t a, uint64_t b, const char *text, const char *file,
                                int line) {
    char message[640];
    if (a == b)
        return;
    snprintf(message, sizeof message, "%s: %llu != %llu", text, (unsigned long long)a,
             (unsigned long long)b);
    check__fail(file, line, message);
}

/* A failure is told three times over, and all must agree: what the call returned, what the thread
 * remembers, and one line of text that names what the caller must know. */
static inline void check__fails(lido_status got, lido_status wanted, const char *part,
                                const char *call, const char *file, int line) {
    char message[1600];
    const char *text = lido_last_error();
    const char *wrong = NULL;
    if (got != wanted)
        wrong = "another status";
    else if (lido_last_status() != wanted)
        wrong = "lido_last_status() says otherwise";
    else if (!strstr(text, part))
        wrong = "the message does not say it";
    else if (strchr(text, '\n') || false)
        wrong = "the message is not one plain line";
    if (!wrong)
        return;
    snprintf(message, sizeof message, "%s: %s: %s, wanted %s with \"%s\"; the message is \"%s\"",
             call, wrong, lido_status_name(got), lido_status_name(wanted), part, text);
    check__fail(file, line, message);
}

static inline void check__ok(lido_status got, const char *call, const char *file, int line) {
    char message[1600];
    if (got == LIDO_OK)
        return;
    snprintf(message, sizeof message, "%s: %s: %s", call, lido_status_name(got), lido_last_error());
    check__fail(file, line, message);
}

static inline void check__has(const char *text, const char *part, const char *file, int line) {
    char message[1600];
    if (strstr(text, part))
        return;
    snprintf(message, sizeof message, "\"%s\" is not in \"%s\"", part, text);
    check__fail(file, line, message);
}

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : check__fail(__FILE__, __LINE__, "not true: " #condition))
#define CHECK_EQ(a, b)                  check__equal((uint64_t)(a), (uint64_t)(b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_OK(call)                  check__ok(call, #call, __FILE__, __LINE__)
#define CHECK_HAS(text, part)           check__has(text, part, __FILE__, __LINE__)
#define CHECK_ERROR_HAS(part)           check__has(lido_last_error(), part, __FILE__, __LINE__)
#define CHECK_FAILS(call, status, part) check__fails(call, status, part, #call, __FILE__, __LINE__)

/* For calls that answer with a pointer. */
#define CHECK_REFUSED(pointer, status, part)                                                       \
    check__fails((pointer) ? LIDO_OK : lido_last_status(), status, part, #pointer, __FILE__,       \
                 __LINE__)

/* ---- Time and waiting ------------------------------------------------------------------ */

/* One lock orders everything simulated. `running` counts the threads of the test that are not
 * waiting; at 0 time moves. */
struct check__sleeper {
    _Atomic uint32_t *word;
    uint64_t deadline_ns;
    bool in_gate, is_awake, is_late;
    pthread_cond_t wake;
    struct check__sleeper *next;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct check__sleeper *sleepers; /* the oldest first */
    int running;
    int spurious_every; /* each n-th park returns for no reason; 0: none */
    int parks;
    _Atomic uint64_t now_ns;
} check__time = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

enum { CHECK_START_SECONDS = 1000, CHECK_TICK_NS = 4000000 };

static inline uint64_t check__now_ns(void) {
    return atomic_load(&check__time.now_ns);
}

static inline uint64_t check__coarse_ns(void) {
    uint64_t now = check__now_ns();
    return now - now % CHECK_TICK_NS;
}

static inline uint64_t check__wall_ns(void) {
    return check__now_ns() + LIDO_SECONDS(1700000000);
}

static inline void check__wake(struct check__sleeper *sleeper, bool is_late) {
    struct check__sleeper **at = &check__time.sleepers;
    while (*at != sleeper)
        at = &(*at)->next;
    *at = sleeper->next;
    sleeper->is_awake = true;
    sleeper->is_late = is_late;
    check__time.running++;
    pthread_cond_signal(&sleeper->wake);
}

/* With the lock: when nobody runs, goes to the next deadline and wakes whose it is. */
static inline void check__let_time_pass(void) {
    uint64_t next_ns = LIDO_FOREVER;
    pthread_cond_broadcast(&check__time.changed);
    if (check__time.running > 0)
        return;
    for (struct check__sleeper *s = check__time.sleepers; s; s = s->next)
        if (s->deadline_ns < next_ns)
            next_ns = s->deadline_ns;
    if (next_ns == LIDO_FOREVER)
        return;
    if (next_ns > check__now_ns())
        atomic_store(&check__time.now_ns, next_ns);
    for (struct check__sleeper *s = check__time.sleepers, *after; s; s = after) {
        after = s->next;
        if (s->deadline_ns <= next_ns)
            check__wake(s, true);
    }
}

/* With the lock. Returns false when the deadline has passed. */
static inline bool check__sleep(_Atomic uint32_t *word, uint64_t deadline_ns, bool in_gate) {
    int cancel_state;
    struct check__sleeper self = {.word = word,
                                  .deadline_ns = deadline_ns,
                                  .in_gate = in_gate,
                                  .wake = PTHREAD_COND_INITIALIZER};
    struct check__sleeper **at = &check__time.sleepers;
    while (*at)
        at = &(*at)->next;
    *at = &self;
    check__time.running--;
    check__let_time_pass();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    while (!self.is_awake)
        pthread_cond_wait(&self.wake, &check__time.lock);
    pthread_setcancelstate(cancel_state, NULL);
    pthread_cond_destroy(&self.wake);
    return !self.is_late;
}

static inline void check__unpark(_Atomic uint32_t *word, int count) {
    pthread_mutex_lock(&check__time.lock);
    for (struct check__sleeper *s = check__time.sleepers, *after; s && count > 0; s = after) {
        after = s->next;
        if (s->word != word)
            continue;
        check__wake(s, false);
        count--;
    }
    pthread_mutex_unlock(&check__time.lock);
}

/* Lets time pass for everybody; threads whose deadlines are reached wake up. */
static inline void check_advance(uint64_t ns) {
    pthread_mutex_lock(&check__time.lock);
    atomic_fetch_add(&check__time.now_ns, ns);
    for (struct check__sleeper *s = check__time.sleepers, *after; s; s = after) {
        after = s->next;
        if (s->deadline_ns <= check__now_ns())
            check__wake(s, true);
    }
    pthread_mutex_unlock(&check__time.lock);
}

enum { CHECK_NAP_NS = 100000 };

/* Waits shorter than that are naps of a thread that holds a lock and looks again: real time passes
 * in them. For the clock to stand still until all others sleep would be for ever, because who waits
 * for that lock waits in the system, not here. */
static inline bool check__park(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
    bool is_in_time = true;
    uint64_t now_ns = check__now_ns();
    if (deadline_ns > now_ns && deadline_ns - now_ns < CHECK_NAP_NS) {
        uint64_t nap_ns = deadline_ns - now_ns;
        (void)lido__sys_real.park(word, expected, lido__sys_real.now_ns() + nap_ns);
        check_advance(nap_ns);
        return false;
    }
    pthread_mutex_lock(&check__time.lock);
    int every = check__time.spurious_every;
    if (atomic_load(word) == expected && !(every && ++check__time.parks % every == 0))
        is_in_time = deadline_ns > check__now_ns() && check__sleep(word, deadline_ns, false);
    pthread_mutex_unlock(&check__time.lock);
    return is_in_time;
}

/* Waits, without time passing, until `count` threads sleep in lido. */
static inline void check_await_sleepers(int count) {
    for (pthread_mutex_lock(&check__time.lock);;) {
        int asleep = 0;
        for (struct check__sleeper *s = check__time.sleepers; s; s = s->next)
            asleep += !s->in_gate;
        if (asleep >= count)
            break;
        pthread_cond_wait(&check__time.changed, &check__time.lock);
    }
    pthread_mutex_unlock(&check__time.lock);
}

/* A gate is shut until opened, then open for good: for a callback that must be caught half-way. */
struct check_gate {
    _Atomic uint32_t is_open;
    int arrived;
};

static inline void check_gate_pass(struct check_gate *gate) {
    pthread_mutex_lock(&check__time.lock);
    gate->arrived++;
    pthread_cond_broadcast(&check__time.changed);
    while (!atomic_load(&gate->is_open))
        (void)check__sleep(&gate->is_open, LIDO_FOREVER, true);
    pthread_mutex_unlock(&check__time.lock);
}

static inline void check_gate_open(struct check_gate *gate) {
    atomic_store(&gate->is_open, 1);
    check__unpark(&gate->is_open, INT32_MAX);
}

/* Waits, without time passing, until `count` threads have come to the gate. */
static inline void check_gate_await(struct check_gate *gate, int count) {
    pthread_mutex_lock(&check__time.lock);
    while (gate->arrived < count)
        pthread_cond_wait(&check__time.changed, &check__time.lock);
    pthread_mutex_unlock(&check__time.lock);
}

/* ---- Threads --------------------------------------------------------------------------- */

struct check_thread {
    pthread_t id;
    void (*run)(void *context);
    void *context;
};

static inline void check__count_running(int change) {
    pthread_mutex_lock(&check__time.lock);
    check__time.running += change;
    check__let_time_pass();
    pthread_mutex_unlock(&check__time.lock);
}

static inline void check__thread_ends(void *unused) {
    (void)unused;
    check__count_running(-1);
}

static inline void *check__thread_run(void *argument) {
    struct check_thread *thread = argument;
    pthread_cleanup_push(check__thread_ends, NULL);
    thread->run(thread->context);
    pthread_cleanup_pop(1);
    return NULL;
}

static inline void check_start(struct check_thread *thread, void (*run)(void *), void *context) {
    thread->run = run;
    thread->context = context;
    check__count_running(1);
    if (pthread_create(&thread->id, NULL, check__thread_run, thread) != 0)
        abort();
}

/* Time passes while it waits. */
static inline void check_join(struct check_thread *thread) {
    check__count_running(-1);
    if (pthread_join(thread->id, NULL) != 0)
        abort();
    check__count_running(1);
}

/* Runs one function in a thread of its own, start to end. */
static inline void check_in_thread(void (*run)(void *), void *context) {
    struct check_thread thread;
    check_start(&thread, run, context);
    check_join(&thread);
}

/* Runs the same function in several threads, each with its number in the array as context. */
enum { CHECK_THREADS_MAX = 64 };

static inline void check_in_threads(int count, void (*run)(void *), void *contexts,
                                    size_t context_bytes) {
    struct check_thread threads[CHECK_THREADS_MAX];
    for (int i = 0; i < count; i++)
        check_start(&threads[i], run, (char *)contexts + (size_t)i * context_bytes);
    for (int i = 0; i < count; i++)
        check_join(&threads[i]);
}

/* ---- Forked children ------------------------------------------------------------------- */

/* Only a child that hangs needs so long, however busy the machine is: none takes 0.3 s of CPU time. */
enum { CHECK_CHILD_SECONDS = 60 };

/* In a child: it is alone, and its checks end it. */
static inline void check__become_child(void) {
    check__in_child = true;
    check__main_thread = pthread_self();
    pthread_mutex_init(&check__time.lock, NULL);
    pthread_cond_init(&check__time.changed, NULL);
    check__time.sleepers = NULL;
    check__time.running = 1;
    alarm(CHECK_CHILD_SECONDS);
}

/* Forks; the child runs the function and ends. Returns how it ended, as waitpid() tells it: 0 if
 * all its checks held. */
static inline int check_child(void (*run)(void *), void *context) {
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        check__become_child();
        run(context);
        _exit(atomic_load(&check__failed) ? 1 : 0);
    }
    if (child < 0)
        check__fail(__FILE__, __LINE__, "fork failed");
    /* A child may hang before it is a child of ours: in the handlers of fork. */
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
    if (ended.fd >= 0 && poll(&ended, 1, CHECK_CHILD_SECONDS * 1000) == 0) {
        fprintf(stderr, "a forked child hangs\n");
        kill(child, SIGKILL);
    }
    while (waitpid(child, &status, 0) < 0)
        ;
    close(ended.fd);
    return status;
}

/* In a child that is to fault: by the signal, without a sanitizer's report. */
static inline void check_expect_fault(void) {
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

static inline bool check_faulted(int status) {
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

/* ---- Memory and injected failures ------------------------------------------------------ */

enum check_kind {
    CHECK_ALLOC,
    CHECK_MAP,
    CHECK_PROTECT,
    CHECK_KEY_CREATE,
    CHECK_KEY_SET,
    CHECK_EVENT_CREATE,
    CHECK_KINDS
};

static struct {
    _Atomic int64_t allocs, alloc_bytes, maps, map_bytes; /* out now */
    _Atomic uint64_t calls[CHECK_KINDS];                  /* fallible calls so far */
    _Atomic int64_t countdown;                            /* the call that brings it to 0 fails */
    _Atomic bool armed, sticky, fired;
} check__sys;

/* Counts a fallible call; true: it has to fail. */
static inline bool check__must_fail(enum check_kind kind) {
    atomic_fetch_add(&check__sys.calls[kind], 1);
    if (!atomic_load(&check__sys.armed))
        return false;
    int64_t left = atomic_fetch_sub(&check__sys.countdown, 1) - 1;
    bool fails = left == 0 || (left < 0 && atomic_load(&check__sys.sticky));
    if (fails)
        atomic_store(&check__sys.fired, true);
    return fails;
}

static inline void *check__alloc(size_t bytes, size_t align) {
    void *memory = check__must_fail(CHECK_ALLOC) ? NULL : lido__sys_real.alloc(bytes, align);
    if (memory) {
        atomic_fetch_add(&check__sys.allocs, 1);
        atomic_fetch_add(&check__sys.alloc_bytes, (int64_t)malloc_usable_size(memory));
        /* Nobody may count on what fresh memory holds. */
        memset(memory, 0xa5, bytes < 65536 ? bytes : 65536);
    }
    return memory;
}

static inline void check__free(void *memory) {
    if (memory) {
        atomic_fetch_sub(&check__sys.allocs, 1);
        atomic_fetch_sub(&check__sys.alloc_bytes, (int64_t)malloc_usable_size(memory));
    }
    lido__sys_real.free(memory);
}

static inline void *check__map(size_t bytes) {
    void *memory = check__must_fail(CHECK_MAP) ? NULL : lido__sys_real.map(bytes);
    if (memory) {
        atomic_fetch_add(&check__sys.maps, 1);
        atomic_fetch_add(&check__sys.map_bytes, (int64_t)bytes);
    }
    return memory;
}

static inline void check__unmap(void *memory, size_t bytes) {
    atomic_fetch_sub(&check__sys.maps, 1);
    atomic_fetch_sub(&check__sys.map_bytes, (int64_t)bytes);
    lido__sys_real.unmap(memory, bytes);
}

static inline bool check__protect(void *memory, size_t bytes, bool accessible) {
    return !check__must_fail(CHECK_PROTECT) && lido__sys_real.protect(memory, bytes, accessible);
}

static inline int check__key_create(pthread_key_t *key, void (*at_exit)(void *)) {
    return check__must_fail(CHECK_KEY_CREATE) ? 11 : lido__sys_real.key_create(key, at_exit);
}

static inline int check__key_set(pthread_key_t key, const void *value) {
    return check__must_fail(CHECK_KEY_SET) ? 12 : lido__sys_real.key_set(key, value);
}

static inline int check__event_create(int *descriptor) {
    return check__must_fail(CHECK_EVENT_CREATE) ? 24 : lido__sys_real.event_create(descriptor);
}

/* Requests for memory so far: does a call that promised not to, ask for any? */
static inline uint64_t check_memory_calls(void) {
    return atomic_load(&check__sys.calls[CHECK_ALLOC]) + atomic_load(&check__sys.calls[CHECK_MAP]);
}

/* Bytes that lido holds from the system now. */
static inline uint64_t check_bytes_held(void) {
    return (uint64_t)(atomic_load(&check__sys.alloc_bytes) + atomic_load(&check__sys.map_bytes));
}

/* From now on the k-th fallible call fails; sticky: and every one after it. */
static inline void check_arm(int64_t k, bool sticky) {
    atomic_store(&check__sys.countdown, k);
    atomic_store(&check__sys.sticky, sticky);
    atomic_store(&check__sys.fired, false);
    atomic_store(&check__sys.armed, true);
}

/* Ends it. Returns whether any call was made to fail. */
static inline bool check_disarm(void) {
    atomic_store(&check__sys.armed, false);
    return atomic_load(&check__sys.fired);
}

struct check__balance {
    int64_t allocs, alloc_bytes, maps, map_bytes;
    uint64_t resources;
};

static inline struct check__balance check__balance_now(void) {
    return (struct check__balance){.allocs = atomic_load(&check__sys.allocs),
                                   .alloc_bytes = atomic_load(&check__sys.alloc_bytes),
                                   .maps = atomic_load(&check__sys.maps),
                                   .map_bytes = atomic_load(&check__sys.map_bytes),
                                   .resources = lido_registry_count()};
}

/* Returns false, having said what is wrong, when less or more is out than before. */
static inline bool check__is_balanced(const struct check__balance *before, const char *what) {
    struct check__balance now = check__balance_now();
    if (now.allocs == before->allocs && now.alloc_bytes == before->alloc_bytes &&
        now.maps == before->maps && now.map_bytes == before->map_bytes &&
        now.resources == before->resources)
        return true;
    print_error("after %s: %+lld allocations (%+lld bytes), %+lld mappings (%+lld bytes), %+lld "
                "resources are out\n",
                what, (long long)(now.allocs - before->allocs),
                (long long)(now.alloc_bytes - before->alloc_bytes),
                (long long)(now.maps - before->maps),
                (long long)(now.map_bytes - before->map_bytes),
                (long long)(now.resources - before->resources));
    return false;
}

/* Runs the scenario again and again while its k-th fallible call fails, for k = 1, 2, ... until it
 * runs untouched, once with single failures and once with failing from then on. The scenario must
 * accept any documented error, and give everything back while the failures last. */
static inline void check__sweep(void (*scenario)(void *), void *context, const char *name,
                                const char *file, int line) {
    int64_t points[2] = {0, 0};
    for (int sticky = 0; sticky < 2; sticky++) {
        for (int64_t k = 1;; k++) {
            struct check__balance before = check__balance_now();
            snprintf(check__circumstance, sizeof check__circumstance, " (with call %lld failing%s)",
                     (long long)k, sticky ? " and all behind it" : "");
            check_arm(k, sticky);
            scenario(context);
            bool fired = check_disarm();
            if (!check__is_balanced(&before, name))
                check__fail(file, line, "something is left");
            check__circumstance[0] = '\0';
            if (!fired)
                break;
            points[sticky]++;
        }
    }
    print_message("    %s: %lld failures injected once, %lld from then on\n", name,
                  (long long)points[0], (long long)points[1]);
    if (points[0] == 0)
        check__fail(file, line, "the scenario makes no fallible call: it sweeps nothing");
}

#define check_sweep(scenario, context)                                                             \
    check__sweep(scenario, context, #scenario, __FILE__, __LINE__)

/* ---- Randomness ------------------------------------------------------------------------ */

static uint64_t check_seed;

struct check_random {
    uint64_t state;
};

/* splitmix64: every seed gives another walk, also neighbouring ones. */
static inline uint64_t check_random(struct check_random *random) {
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t check_random_below(struct check_random *random, uint64_t bound) {
    return check_random(random) % bound;
}

/* A walk of its own for each thread or test, all from the one seed. */
static inline struct check_random check_random_start(uint64_t number) {
    struct check_random random = {check_seed ^ (number * UINT64_C(0xd1342543de82ef95))};
    return random;
}

/* ---- Running --------------------------------------------------------------------------- */

static struct check__balance check__before;

enum { CHECK_TEST_SECONDS = 120 };

static inline struct lido__sys check__table(void) {
    struct lido__sys table = lido__sys_real;
    table.alloc = check__alloc;
    table.free = check__free;
    table.map = check__map;
    table.unmap = check__unmap;
    table.protect = check__protect;
    table.now_ns = check__now_ns;
    table.coarse_ns = check__coarse_ns;
    table.wall_ns = check__wall_ns;
    table.park = check__park;
    table.unpark = check__unpark;
    table.key_create = check__key_create;
    table.key_set = check__key_set;
    table.event_create = check__event_create;
    return table;
}

/* From here to the end of the test the clock is the system's, and waiting is real. */
static inline void check_real_time(void) {
    lido__sys.now_ns = lido__sys_real.now_ns;
    lido__sys.coarse_ns = lido__sys_real.coarse_ns;
    lido__sys.wall_ns = lido__sys_real.wall_ns;
    lido__sys.park = lido__sys_real.park;
    lido__sys.unpark = lido__sys_real.unpark;
}

/* Replaces the table before lido is used, so that every byte is counted from the first. */
static inline void check_install(void) {
    check__main_thread = pthread_self();
    atomic_store(&check__time.now_ns, LIDO_SECONDS(CHECK_START_SECONDS));
    check__time.running = 1;
    lido__sys = check__table();
}

static inline int check__setup(void **state) {
    (void)state;
    check_install();
    check__time.spurious_every = 0;
    check__time.parks = 0;
    atomic_store(&check__failed, 0);
    check__circumstance[0] = '\0';
    (void)lido__thread();
    check__before = check__balance_now();
    alarm(CHECK_TEST_SECONDS);
    return 0;
}

static inline int check__teardown(void **state) {
    (void)state;
    alarm(0);
    (void)check_disarm();
    int failed = atomic_load(&check__failed);
    if (failed)
        print_error("%d checks failed in other threads\n", failed);
    return failed || !check__is_balanced(&check__before, "the test") ? -1 : 0;
}

static inline void check__read_seed(void) {
    const char *given = getenv("LIDO_SEED");
    check_seed = given ? strtoull(given, NULL, 0) : lido__sys_real.wall_ns() % 1000000007;
    print_message("LIDO_SEED=%llu\n", (unsigned long long)check_seed);
}

/* Returns false, having listed them, when no test has such a name. */
static inline bool check__choose(const struct CMUnitTest *tests, size_t count,
                                 const char *pattern) {
    for (size_t i = 0; i < count; i++)
        if (fnmatch(pattern, tests[i].name, 0) == 0) {
            cmocka_set_test_filter(pattern);
            return true;
        }
    fprintf(stderr, "no test is named %s; there are:\n", pattern);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "    %s\n", tests[i].name);
    return false;
}

#define TEST(name)                                                                                 \
    { #name, name, check__setup, check__teardown, NULL }

#define CHECK_MAIN(...)                                                                            \
    int main(int argc, char **argv) {                                                              \
        static const struct CMUnitTest tests[] = {__VA_ARGS__};                                    \
        if (argc > 1 && !check__choose(tests, sizeof tests / sizeof tests[0], argv[1]))            \
            return 2;                                                                              \
        check__read_seed();                                                                        \
        return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;                                  \
    }

#endif
