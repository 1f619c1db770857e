/* SPDX-License-Identifier: MIT
 * block_work.h -- the patterns of the block bench, compiled into each contestant.
 *
 * A contestant defines the six functions below and then includes this file, which has its main.
 * They are static, so the compiler may inline a peer's fast path wherever the peer offers one.
 *
 *      peer_open          before any block; at least so many blocks may be out at once; hasten: idle memory
 *                         shall go back within 250 ms, where there is a knob for it
 *      peer_join          in each further thread, before its first block
 *      peer_get peer_put  one block; never NULL
 *      peer_get_second peer_put_second   from another pool, where a peer has such (PEER_HAS_SECOND); a
 *                         malloc has one heap for all
 *      peer_trim          gives back what it can, now; false: the peer has nothing of the kind
 *      peer_version       prints one line
 *
 * Whoever gets a block writes its first word, as any program does. block_memory.h has the patterns
 * that look at memory and pauses, this file those that take time.
 */
#ifndef BENCH_BLOCK_WORK_H
#define BENCH_BLOCK_WORK_H

#include "worker.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void peer_open(uint64_t bytes, uint64_t count, bool hasten);
static void peer_join(void);
static inline void *peer_get(void);
static inline void peer_put(void *block);
#ifdef PEER_HAS_SECOND
static inline void *peer_get_second(void);
static inline void peer_put_second(void *block);
#else
#define peer_get_second peer_get
#define peer_put_second peer_put
#endif
static bool peer_trim(void);
static void peer_version(void);

enum {
    BURST = 64,
    CHURN_LIVE = 4096,
    RING_SLOTS = 256,
    LARSON_LIVE = 1000,
    BATCH_BLOCKS = 256,
    BATCHES_MAX = 16
};

static uint64_t block_bytes;

/* A block with its first word written. */
static inline void *get_written(void) {
    void *block = peer_get();
    *(uint64_t *)block = (uintptr_t)block;
    worker_keep(block);
    return block;
}

static void join_peer(void *context, unsigned thread) {
    (void)context;
    if (thread != 0)
        peer_join();
}

/* ---- A thread's own blocks ---------------------------------------------------------------- */

static void run_pair(void *context, unsigned thread, uint64_t count) {
    (void)context, (void)thread;
    for (uint64_t i = 0; i < count; i++)
        peer_put(get_written());
}

/* Two pools by turns: whoever keeps one pool at hand has always the other one. */
static void run_turns(void *context, unsigned thread, uint64_t count) {
    (void)context, (void)thread;
    for (uint64_t i = 0; i < count; i += 2) {
        peer_put(get_written());
        void *block = peer_get_second();
        *(uint64_t *)block = (uintptr_t)block;
        worker_keep(block);
        peer_put_second(block);
    }
}

static void run_burst(void *context, unsigned thread, uint64_t count) {
    (void)context, (void)thread;
    void *blocks[BURST];
    for (uint64_t done = 0; done < count; done += BURST) {
        for (unsigned i = 0; i < BURST; i++)
            blocks[i] = get_written();
        for (unsigned i = 0; i < BURST; i++)
            peer_put(blocks[i]);
    }
}

typedef struct churn {
    _Alignas(128) void *live[CHURN_LIVE];
    uint64_t random;
} churn;

static churn churns[WORKER_THREADS_MAX];

static void begin_churn(void *context, unsigned thread) {
    churn *own = &churns[thread];
    join_peer(context, thread);
    own->random = thread + 1;
    for (unsigned i = 0; i < CHURN_LIVE; i++)
        own->live[i] = get_written();
}

static void run_churn(void *context, unsigned thread, uint64_t count) {
    (void)context;
    churn *own = &churns[thread];
    for (uint64_t i = 0; i < count; i++) {
        void **place = &own->live[worker_random(&own->random) >> 52];
        peer_put(*place);
        *place = get_written();
    }
}

static void end_churn(void *context, unsigned thread) {
    (void)context;
    for (unsigned i = 0; i < CHURN_LIVE; i++)
        peer_put(churns[thread].live[i]);
}

/* ---- From one thread to another ----------------------------------------------------------- */

/* A bounded queue for one producer and one consumer; each remembers where it last saw the other. */
typedef struct ring {
    _Alignas(128) _Atomic uint64_t head; /* written by the consumer */
    uint64_t tail_seen;
    _Alignas(128) _Atomic uint64_t tail; /* written by the producer */
    uint64_t head_seen;
    _Alignas(128) void *slots[RING_SLOTS];
} ring;

/* Waits a little: burns first, then lets somebody else have the CPU. */
static void wait_a_little(unsigned *turns) {
    if (++*turns < 2000)
        worker_pause();
    else
        sched_yield();
}

static void ring_push(ring *r, void *block) {
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    for (unsigned turns = 0; tail - r->head_seen == RING_SLOTS;) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (tail - r->head_seen == RING_SLOTS)
            wait_a_little(&turns);
    }
    r->slots[tail % RING_SLOTS] = block;
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

static void *ring_pop(ring *r) {
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    for (unsigned turns = 0; head == r->tail_seen;) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head == r->tail_seen)
            wait_a_little(&turns);
    }
    void *block = r->slots[head % RING_SLOTS];
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return block;
}

static void write_block(void *block, uint64_t value) {
    uint64_t *words = block;
    for (uint64_t i = 0; i < block_bytes / sizeof *words; i++)
        words[i] = value;
    worker_keep(block);
}

static uint64_t read_block(const void *block) {
    const uint64_t *words = block;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < block_bytes / sizeof *words; i++)
        sum += words[i];
    return sum;
}

static ring hand_over_ring;

/* Thread 0 gets and writes whole blocks, thread 1 reads and returns them. */
static void run_hand_over(void *context, unsigned thread, uint64_t count) {
    (void)context;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (thread == 0) {
            void *block = peer_get();
            write_block(block, i);
            ring_push(&hand_over_ring, block);
        } else {
            void *block = ring_pop(&hand_over_ring);
            sum += read_block(block);
            peer_put(block);
        }
    }
    if (thread == 1 && sum != (block_bytes / 8) * (count * (count - 1) / 2))
        worker_fail("a block changed on its way from thread to thread");
}

/* Batches that travel from producers to consumers under one lock: all releases are remote. */
typedef struct batch {
    void *blocks[BATCH_BLOCKS];
} batch;

static pthread_mutex_t batch_lock = PTHREAD_MUTEX_INITIALIZER;
static batch batches[BATCHES_MAX];
static unsigned batches_filled;

static bool move_batch(batch *own, bool push) {
    pthread_mutex_lock(&batch_lock);
    bool possible = push ? batches_filled < BATCHES_MAX : batches_filled > 0;
    if (possible && push)
        batches[batches_filled++] = *own;
    else if (possible)
        *own = batches[--batches_filled];
    pthread_mutex_unlock(&batch_lock);
    return possible;
}

/* Even threads only get, odd ones only return. */
static void run_batches(void *context, unsigned thread, uint64_t count) {
    (void)context;
    batch own;
    bool producer = thread % 2 == 0;
    for (uint64_t done = 0; done < count; done += BATCH_BLOCKS) {
        for (unsigned i = 0; producer && i < BATCH_BLOCKS; i++)
            own.blocks[i] = get_written();
        for (unsigned turns = 0; !move_batch(&own, producer);)
            wait_a_little(&turns);
        for (unsigned i = 0; !producer && i < BATCH_BLOCKS; i++)
            peer_put(own.blocks[i]);
    }
}

/* Sets of live blocks that wander from thread to thread, as the sessions of a server do. */
typedef struct larson_set {
    void *live[LARSON_LIVE];
} larson_set;

static larson_set larson_sets[WORKER_THREADS_MAX + 1];
static larson_set *larson_own[WORKER_THREADS_MAX];
static _Atomic(larson_set *) larson_parked;

static void begin_larson(void *context, unsigned thread) {
    join_peer(context, thread);
    larson_own[thread] = &larson_sets[thread];
    for (unsigned i = 0; i < LARSON_LIVE; i++)
        larson_own[thread]->live[i] = get_written();
}

static void run_larson(void *context, unsigned thread, uint64_t count) {
    (void)context;
    larson_set *own = larson_own[thread];
    uint64_t random = thread + 1;
    for (uint64_t i = 0; i < count; i++) {
        void **place = &own->live[worker_random(&random) % LARSON_LIVE];
        peer_put(*place);
        *place = get_written();
        if (i % 4096 == 4095)
            own = atomic_exchange_explicit(&larson_parked, own, memory_order_acq_rel);
    }
    larson_own[thread] = own;
}

/* ---- Neighbours in a cache line ------------------------------------------------------------ */

static void *scratch_blocks[WORKER_THREADS_MAX];

/* Writes a small block again and again; slow when another thread's block is in the same line. */
static void run_thrash(void *context, unsigned thread, uint64_t count) {
    (void)context;
    for (uint64_t i = 0; i < count; i++) {
        if (scratch_blocks[thread]) {
            peer_put(scratch_blocks[thread]);
            scratch_blocks[thread] = NULL;
        }
        uint64_t *words = peer_get();
        for (unsigned turn = 0; turn < 100; turn++) {
            words[turn % (block_bytes / sizeof *words)] += turn;
            worker_keep(words);
        }
        peer_put(words);
    }
}

/* ---- The table of patterns ------------------------------------------------------------------ */

#include "block_memory.h"

typedef struct timed_pattern {
    const char *name;
    worker_load load; /* its thread_count comes from the command line */
} timed_pattern;

static const timed_pattern timed_patterns[] = {
    {"pair", {join_peer, run_pair, NULL, NULL, 0, false}},
    {"turns", {join_peer, run_turns, NULL, NULL, 0, false}},
    {"burst", {join_peer, run_burst, NULL, NULL, 0, false}},
    {"churn", {begin_churn, run_churn, end_churn, NULL, 0, false}},
    {"hand-over", {join_peer, run_hand_over, NULL, NULL, 0, false}},
    {"xmalloc-test", {join_peer, run_batches, NULL, NULL, 0, false}},
    {"larson", {begin_larson, run_larson, NULL, NULL, 0, false}},
    {"cache-thrash", {join_peer, run_thrash, NULL, NULL, 0, false}},
    {"cache-scratch", {join_peer, run_thrash, NULL, NULL, 0, false}},
};

/* PATTERN BLOCK_BYTES THREADS; further values are the pattern's own. */
static int measure_pattern(const worker_arguments *arguments) {
    block_bytes = arguments->values[0];
    for (size_t i = 0; i < sizeof timed_patterns / sizeof timed_patterns[0]; i++) {
        if (strcmp(timed_patterns[i].name, arguments->pattern) != 0)
            continue;
        worker_load load = timed_patterns[i].load;
        load.thread_count = (unsigned)arguments->values[1];
        peer_open(block_bytes, UINT64_C(65536), false);
        if (load.run == run_larson) {
            atomic_store_explicit(&larson_parked, &larson_sets[WORKER_THREADS_MAX],
                                  memory_order_relaxed);
            for (unsigned k = 0; k < LARSON_LIVE; k++)
                larson_sets[WORKER_THREADS_MAX].live[k] = get_written();
        }
        for (unsigned k = 0;
             k < load.thread_count && strcmp(arguments->pattern, "cache-scratch") == 0; k++)
            scratch_blocks[k] = get_written();
        return worker_measure(arguments, &load);
    }
    return measure_memory(arguments);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        peer_version();
        return 0;
    }
    worker_arguments arguments = worker_read_arguments(argc, argv);
    return measure_pattern(&arguments);
}

#endif
