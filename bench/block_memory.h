/* SPDX-License-Identifier: MIT
 * block_memory.h -- patterns of the block bench that look at memory and at pauses.
 *
 * Part of block_work.h, which explains the peer_ functions. Each function here prints its own
 * figures; all of them are costs: a lower figure is a better one.
 */
#ifndef BENCH_BLOCK_MEMORY_H
#define BENCH_BLOCK_MEMORY_H

#include <sys/resource.h>

static void shuffle(void **blocks, uint64_t count, uint64_t seed) {
    for (uint64_t i = count; i > 1; i--) {
        uint64_t k = worker_random(&seed) % i;
        void *kept = blocks[i - 1];
        blocks[i - 1] = blocks[k];
        blocks[k] = kept;
    }
}

/* Gets count blocks, all bytes of each written, so that they are resident. */
static void fill(void **blocks, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        blocks[i] = peer_get();
        memset(blocks[i], 1, block_bytes);
    }
}

static void put_all(void **blocks, uint64_t count) {
    for (uint64_t i = 0; i < count; i++)
        peer_put(blocks[i]);
}

static void **room_for(uint64_t count) {
    void **blocks = calloc(count, sizeof *blocks);
    if (!blocks)
        worker_fail("no memory for %llu pointers", (unsigned long long)count);
    memset(blocks, 1, count * sizeof *blocks); /* resident before the first figure is taken */
    return blocks;
}

/* ---- How much stays after a peak ------------------------------------------------------------ */

/* A second in which the program goes on a little. */
static void quiet_second(void) {
    void *few[16];
    for (unsigned turn = 0; turn < 1000; turn++) {
        for (unsigned i = 0; i < 16; i++)
            few[i] = get_written();
        put_all(few, 16);
        worker_sleep_ns(1000000);
    }
}

/* peak BYTES COUNT SURVIVORS_PER_MILLE TRIM: percent of the peak's bytes that stay. The survivors
 * are turned over three times, so that a peer can bring them together. */
static int measure_peak(const worker_arguments *arguments) {
    uint64_t count = arguments->values[1], survivors = count * arguments->values[2] / 1000;
    void **blocks = room_for(count);
    peer_open(block_bytes, count, arguments->values[3] == 0);
    put_all((void *[]){get_written()}, 1);
    uint64_t before = worker_resident_bytes();
    fill(blocks, count);
    uint64_t peak = worker_resident_bytes();
    shuffle(blocks, count, 7);
    put_all(blocks + survivors, count - survivors);
    uint64_t random = 11;
    for (uint64_t i = 0; i < 3 * survivors; i++) {
        void **place = &blocks[worker_random(&random) % survivors];
        peer_put(*place);
        fill(place, 1);
    }
    if (arguments->values[3] == 0)
        quiet_second();
    else if (!peer_trim())
        return WORKER_CANNOT;
    uint64_t after = worker_resident_bytes();
    printf("%.3f\n",
           after > before ? 100.0 * (double)(after - before) / (double)(peak - before) : 0.0);
    return 0;
}

/* grow-shrink BYTES COUNT: live blocks grow tenfold to COUNT and shrink again, three times, 20 ms a
 * step; resident bytes for each live byte, over all steps. */
static int measure_grow_shrink(const worker_arguments *arguments) {
    uint64_t most = arguments->values[1], live = 0, random = 5;
    void **blocks = room_for(most);
    double resident = 0, needed = 0;
    peer_open(block_bytes, most, false);
    uint64_t before = worker_resident_bytes();
    for (unsigned step = 0; step < 60; step++) {
        unsigned place = step % 20;
        uint64_t wanted = most * (1 + (place < 10 ? place : 19 - place)) / 10;
        for (; live < wanted; live++)
            fill(&blocks[live], 1);
        while (live > wanted) {
            uint64_t k = worker_random(&random) % live;
            peer_put(blocks[k]);
            blocks[k] = blocks[--live];
        }
        worker_sleep_ns(20000000);
        resident += (double)(worker_resident_bytes() - before);
        needed += (double)(live * block_bytes);
    }
    printf("%.4f\n", resident / needed);
    return 0;
}

/* ---- Steady state ---------------------------------------------------------------------------- */

/* steady BYTES: page faults in a million operations after the first hundred thousand; the bench
 * counts the system calls between the marks. */
static int measure_steady(const worker_arguments *arguments) {
    (void)arguments;
    peer_open(block_bytes, CHURN_LIVE * 2, false);
    worker_pin(arguments->cpu_shift);
    begin_churn(NULL, 0);
    run_churn(NULL, 0, 50000);
    run_burst(NULL, 0, 50000);
    uint64_t before = worker_faults();
    worker_mark();
    run_churn(NULL, 0, 500000);
    run_burst(NULL, 0, 500000);
    worker_mark();
    printf("%llu\n", (unsigned long long)(worker_faults() - before));
    return 0;
}

/* ---- Pauses ------------------------------------------------------------------------------------ */

/* Counts of durations in steps of 1/16 of a power of two; exact enough for a p99.9. */
typedef struct histogram {
    uint64_t counts[64 * 16];
    uint64_t total;
} histogram;

static unsigned histogram_place(uint64_t ns) {
    if (ns < 16)
        return (unsigned)ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    return (power - 3) * 16 + (unsigned)((ns >> (power - 4)) & 15);
}

static uint64_t histogram_value(unsigned place) {
    if (place < 16)
        return place;
    unsigned power = place / 16 + 3;
    return (UINT64_C(16) + place % 16) << (power - 4);
}

static double histogram_quantile(const histogram *h, double quantile) {
    uint64_t seen = 0;
    for (unsigned i = 0; i < 64 * 16; i++) {
        seen += h->counts[i];
        if ((double)seen >= quantile * (double)h->total)
            return (double)histogram_value(i);
    }
    return 0;
}

typedef struct caller {
    histogram times;
    uint64_t longest_ns;
    unsigned cpu;
    _Atomic bool stop;
    _Atomic bool started;
} caller;

static long involuntary_switches(void) {
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

/* Times each get until told to stop. A get during which the kernel took the CPU away says nothing
 * about the peer and is left out. */
static void *call_and_time(void *argument) {
    caller *self = argument;
    void *blocks[512] = {NULL};
    worker_pin(self->cpu);
    peer_join();
    long switches = involuntary_switches();
    atomic_store_explicit(&self->started, true, memory_order_release);
    while (!atomic_load_explicit(&self->stop, memory_order_relaxed)) {
        for (unsigned i = 0; i < 512; i++) {
            uint64_t start = worker_now_ns();
            blocks[i] = get_written();
            uint64_t duration = worker_now_ns() - start;
            if (duration > 50000 && involuntary_switches() != switches) {
                switches = involuntary_switches();
                continue;
            }
            self->times.counts[histogram_place(duration)]++;
            self->times.total++;
            self->longest_ns = duration > self->longest_ns ? duration : self->longest_ns;
        }
        put_all(blocks, 512);
    }
    return NULL;
}

/* trim-under-load BYTES COUNT: p99.9 of get, in ns, while another thread makes idle memory and
 * trims without pause.   coalesce BYTES COUNT: the longest get, in us, while another thread
 * returns COUNT blocks in random order, all but 5 percent, and trims. */
static int measure_pauses(const worker_arguments *arguments, bool under_load) {
    static caller other;
    uint64_t count = arguments->values[1];
    void **blocks = room_for(count);
    pthread_t thread;
    other.cpu = arguments->cpu_shift + 1;
    peer_open(block_bytes, count + 1024, false);
    if (!peer_trim())
        return WORKER_CANNOT;
    worker_pin(arguments->cpu_shift);
    fill(blocks, count);
    shuffle(blocks, count, 3);
    if (pthread_create(&thread, NULL, call_and_time, &other) != 0)
        worker_fail("a thread could not be started");
    while (!atomic_load_explicit(&other.started, memory_order_acquire))
        sched_yield();
    uint64_t end = worker_now_ns() + UINT64_C(200000000);
    do {
        if (under_load) {
            put_all(blocks, count);
            peer_trim();
            fill(blocks, count);
        } else {
            put_all(blocks + count / 20, count - count / 20);
            peer_trim();
        }
    } while (under_load && worker_now_ns() < end);
    atomic_store_explicit(&other.stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    if (under_load)
        printf("%.0f\n", histogram_quantile(&other.times, 0.999));
    else
        printf("%.1f\n", (double)other.longest_ns / 1000);
    return 0;
}

static int measure_memory(const worker_arguments *arguments) {
    if (strcmp(arguments->pattern, "peak") == 0)
        return measure_peak(arguments);
    if (strcmp(arguments->pattern, "grow-shrink") == 0)
        return measure_grow_shrink(arguments);
    if (strcmp(arguments->pattern, "steady") == 0)
        return measure_steady(arguments);
    if (strcmp(arguments->pattern, "trim-under-load") == 0)
        return measure_pauses(arguments, true);
    if (strcmp(arguments->pattern, "coalesce") == 0)
        return measure_pauses(arguments, false);
    worker_fail("no pattern \"%s\"", arguments->pattern);
}

#endif
