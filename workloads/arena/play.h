/* SPDX-License-Identifier: MIT
 * One run of one variant, measured. */
#ifndef ARENA_PLAY_H
#define ARENA_PLAY_H

#include "arena/stores.h"

/* Figures "late" count from this tick on, two explosions after the start; in a short run from its
 * middle. */
#define ARENA_WARM_TICKS 1200

/* The whole world is summed so often, outside of the time; what comes and goes in every tick. */
#define ARENA_CHECK_TICKS 60

struct arena_options {
    uint64_t ticks, seed;
};

struct arena_run {
    bool done;
    bool adds_up;     /* after every tick: spawned - ended - dropped = live, for every kind */
    bool peaks_agree; /* of lido: the pool's high-water mark is that of a plain counter */
    double total_s;   /* CPU time of all ticks */
    double p50_us, p99_us, p999_us, worst_us;
    uint64_t faults, faults_late; /* minor page faults */
    uint64_t peak_bytes;          /* the most that was resident */
    struct {
        uint64_t spawned, ended, dropped, refused, live, live_peak, made;
    } of[ARENA_KIND_COUNT];
    lido_dense_pool_stats pool[ARENA_KIND_COUNT]; /* of lido */
    char error[200];                              /* when not done */
};

/* Called now and then; the run goes on when it returns. */
struct arena_watcher {
    void (*progress)(void *context, uint64_t tick);
    void *context;
};

/* Plays in a process of its own, so that no variant inherits the heap of another. Ctrl-C ends that
 * process, also where the caller has blocked it. tick_us and sums receive, for every tick, its CPU
 * time and a number that tells the world apart from others.
 *
 * Returns  0, or the signal that ended the process; run->done and run->error say how it went. */
int arena_play(const struct arena_options *options, enum arena_variant variant,
               const struct arena_watcher *watcher, struct arena_run *run, double *tick_us,
               uint64_t *sums);

#endif
