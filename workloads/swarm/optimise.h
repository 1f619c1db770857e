/* SPDX-License-Identifier: MIT
 * The optimiser: global-best particle swarm, in two shapes of memory.
 *
 *   particles   a buffer per particle: each iteration writes the new position of a particle into a
 *               fresh buffer and gives the old one back (240 bytes at 30 dimensions)
 *   matrix      as in array languages: each iteration makes four temporary matrices of the whole
 *               swarm and drops them at its end (781 KiB each at 1,000 x 100)
 *
 * Inertia 0.7298, both pulls 1.49618. All particles move, then are valued, then the best is taken. A
 * particle that would leave the bounds stays on the wall and loses its speed in that direction.
 * Both shapes and all variants compute the same operations in the same order: from one seed they
 * give the same trajectory to the last bit, and the checksum over all positions and values says so. */
#ifndef SWARM_OPTIMISE_H
#define SWARM_OPTIMISE_H

#include "swarm/buffers.h"
#include "swarm/functions.h"

#include <lido/block_figures.h>

/* Figures "late" count from this iteration on, when everything has been touched. */
#define SWARM_WARM_ITERATIONS 100

struct swarm_options {
    const struct swarm_function *function;
    bool shifted_rotated;
    bool matrix;
    uint64_t particles, dimensions, iterations, seed;
};

/* What one run of one variant gave. */
struct swarm_run {
    bool done;
    double best;
    uint64_t checksum;
    double cpu_s;
    uint64_t calls, calls_late;   /* of the allocator or the pool */
    uint64_t faults, faults_late; /* minor page faults */
    int64_t growth_bytes;         /* of anonymous resident memory, late */
    lido_block_pool_stats pool;   /* of SWARM_POOL, at the last iteration */
    char error[200];              /* when not done */
};

/* Called now and then; the swarm goes on when it returns. */
struct swarm_watcher {
    void (*progress)(void *context, uint64_t iteration, double best);
    void *context;
};

/* Bytes of one buffer. */
uint64_t swarm_buffer_bytes(const struct swarm_options *options);

/* Runs the optimiser in this process. best_of and mean_of receive, for every iteration, the best
 * value so far and the mean of the swarm. */
void swarm_optimise(const struct swarm_options *options, enum swarm_variant variant,
                    const struct swarm_watcher *watcher, struct swarm_run *run, double *best_of,
                    double *mean_of);

/* The same in a process of its own, so that no variant inherits the heap of another. Ctrl-C ends that
 * process, also where the caller has blocked it.
 *
 * Returns  0, or the signal that ended the process; run->done and run->error say how it went. */
int swarm_optimise_apart(const struct swarm_options *options, enum swarm_variant variant,
                         const struct swarm_watcher *watcher, struct swarm_run *run,
                         double *best_of, double *mean_of);

#endif
