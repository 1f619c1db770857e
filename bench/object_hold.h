/* SPDX-License-Identifier: MIT
 * object_hold.h -- threads that work for a while with each object they hold.
 *
 * What a pool costs there is the time an operation takes beyond what the work alone needs:
 *
 *      window k:      acquire, work, release     by all threads      wall time / operations
 *   -  before, after: work                       by as many threads as there are objects, at most
 *
 * The work is a number of steps, not a length of time: who is interrupted in it still has to do the
 * rest. Threads are not pinned, since where a waiter wakes is part of what a pool does.
 *
 * Prints, for each window, the cost (ns); how long the slowest acquire of a thousand took (us), and
 * which share of them took more than a microsecond (percent), both over the whole run.
 */
#ifndef BENCH_OBJECT_HOLD_H
#define BENCH_OBJECT_HOLD_H

enum {
    HOLD_BUCKETS = 64 * 16,
    HOLD_WINDOWS_MAX = 32,
    HOLD_STRETCH = 25, /* so much longer is a window: it has to have its slowest of a thousand */
    WAITED_NS = 1000
};

typedef struct holder {
    uint64_t operation_count, end_ns;
    uint64_t slow_count; /* acquires of more than WAITED_NS */
    uint64_t count[HOLD_BUCKETS];
} holder;

static struct {
    pthread_barrier_t barrier;
    uint64_t hold_steps, end_ns;
    unsigned object_count, thread_count;
    bool is_bare; /* this window has the work alone */
    bool is_over;
} hold;
static holder holders[WORKER_THREADS_MAX];

/* Sixteen buckets to each doubling. */
static inline unsigned hold_bucket(uint64_t ns) {
    if (ns < 16)
        return (unsigned)ns;
    unsigned doubling = 63u - (unsigned)__builtin_clzll(ns);
    return (doubling - 3) * 16 + (unsigned)(ns >> (doubling - 4) & 15);
}

static double hold_bucket_ns(unsigned bucket) {
    if (bucket < 16)
        return bucket;
    return (double)((uint64_t)(16 + bucket % 16) << (bucket / 16 - 1));
}

static inline void hold_steps(uint64_t steps) {
    uint64_t random = steps + 1;
    for (uint64_t i = 0; i < steps; i++)
        (void)worker_random(&random);
    worker_keep(&random);
}

static inline void hold_work(uint64_t steps) {
    hold_steps(steps / 2);
    sched_yield();
    hold_steps(steps - steps / 2);
}

/* Steps that take so long when nothing interrupts them: by the quickest of many tries. */
static uint64_t hold_steps_for(uint64_t duration_ns) {
    enum { TRIES = 200, STEPS = 20000 };
    uint64_t quickest = UINT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        uint64_t start_ns = worker_now_ns();
        hold_steps(STEPS);
        uint64_t took_ns = worker_now_ns() - start_ns;
        quickest = took_ns < quickest ? took_ns : quickest;
    }
    return duration_ns * STEPS / quickest;
}

/* Both loops read the clock as often. */
static void hold_window(holder *self) {
    uint64_t now_ns = 0;
    self->operation_count = 0;
    while (now_ns < hold.end_ns) {
        peer_object held;
        uint64_t start_ns = worker_now_ns();
        worker_keep(peer_acquire(&held));
        now_ns = worker_now_ns();
        hold_work(hold.hold_steps);
        peer_release(&held);
        sched_yield();
        self->operation_count++;
        self->count[hold_bucket(now_ns - start_ns)]++;
        self->slow_count += now_ns - start_ns > WAITED_NS;
    }
    self->end_ns = worker_now_ns();
}

static void hold_bare_window(holder *self) {
    uint64_t now_ns = 0, before_ns = 0;
    self->operation_count = 0;
    while (now_ns < hold.end_ns) {
        before_ns = worker_now_ns();
        now_ns = worker_now_ns();
        hold_work(hold.hold_steps);
        self->operation_count++;
        worker_keep(&before_ns);
        sched_yield();
    }
    self->end_ns = worker_now_ns();
}

static void *hold_main(void *argument) {
    holder *self = argument;
    for (;;) {
        pthread_barrier_wait(&hold.barrier);
        if (hold.is_over)
            return NULL;
        if (!hold.is_bare)
            hold_window(self);
        else if (self < holders + hold.object_count)
            hold_bare_window(self);
        pthread_barrier_wait(&hold.barrier);
    }
}

/* Returns the wall time of a window over its operations. */
static double hold_run_window(bool is_bare, uint64_t window_ns) {
    unsigned count =
        is_bare && hold.object_count < hold.thread_count ? hold.object_count : hold.thread_count;
    uint64_t operations = 0, start_ns = worker_now_ns(), end_ns = start_ns;
    hold.is_bare = is_bare;
    hold.end_ns = start_ns + window_ns;
    pthread_barrier_wait(&hold.barrier);
    pthread_barrier_wait(&hold.barrier);
    for (unsigned i = 0; i < count; i++) {
        operations += holders[i].operation_count;
        end_ns = holders[i].end_ns > end_ns ? holders[i].end_ns : end_ns;
    }
    return (double)(end_ns - start_ns) / (double)operations;
}

static void hold_print(const double *costs, unsigned window_count) {
    uint64_t total = 0, slow = 0, seen = 0;
    unsigned bucket = HOLD_BUCKETS;
    for (unsigned i = 0; i < hold.thread_count; i++) {
        slow += holders[i].slow_count;
        for (unsigned b = 0; b < HOLD_BUCKETS; b++)
            total += holders[i].count[b];
    }
    /* From the slowest down, until one of a thousand was passed. */
    while (bucket > 0 && seen * 1000 <= total) {
        bucket--;
        for (unsigned i = 0; i < hold.thread_count; i++)
            seen += holders[i].count[bucket];
    }
    for (unsigned i = 0; i < window_count; i++)
        printf("%.1f %.2f %.3f\n", costs[i], hold_bucket_ns(bucket) / 1000,
               100 * (double)slow / (double)total);
}

static int measure_holds(const worker_arguments *arguments) {
    pthread_t threads[WORKER_THREADS_MAX];
    double costs[HOLD_WINDOWS_MAX], bare[HOLD_WINDOWS_MAX + 1];
    uint64_t window_ns = arguments->window_ns * HOLD_STRETCH;
    unsigned window_count = arguments->window_count;
    hold.object_count = (unsigned)arguments->values[0];
    hold.thread_count = (unsigned)arguments->values[1];
    if (hold.thread_count < 1 || hold.thread_count > WORKER_THREADS_MAX ||
        window_count > HOLD_WINDOWS_MAX)
        worker_fail("1 to %d threads, at most %d windows", WORKER_THREADS_MAX, HOLD_WINDOWS_MAX);
    hold.hold_steps = hold_steps_for(arguments->values[2]);
    pthread_barrier_init(&hold.barrier, NULL, hold.thread_count + 1);
    for (unsigned i = 0; i < hold.thread_count; i++) {
        if (pthread_create(&threads[i], NULL, hold_main, &holders[i]) != 0)
            worker_fail("a thread could not be started");
    }
    hold_run_window(false, window_ns / 4);
    memset(holders, 0, sizeof holders);
    bare[0] = hold_run_window(true, window_ns / 2);
    for (unsigned i = 0; i < window_count; i++) {
        costs[i] = hold_run_window(false, window_ns);
        bare[i + 1] = hold_run_window(true, window_ns / 2);
        costs[i] -= (bare[i] + bare[i + 1]) / 2;
    }
    hold.is_over = true;
    pthread_barrier_wait(&hold.barrier);
    for (unsigned i = 0; i < hold.thread_count; i++)
        pthread_join(threads[i], NULL);
    hold_print(costs, window_count);
    return fflush(stdout) == 0 ? 0 : 1;
}

#endif
