/* SPDX-License-Identifier: MIT
 * Progress of the runs on stderr: a bar on a terminal, a line a run otherwise, or nothing. */
#ifndef SWARM_PROGRESS_H
#define SWARM_PROGRESS_H

#include "swarm/optimise.h"

struct swarm_progress {
    bool silent, terminal;
    const char *variant;
    uint64_t run, runs; /* this one, and how many there will be */
    uint64_t iterations;
    uint64_t started_ns, shown_ns;
};

void swarm_progress_open(struct swarm_progress *progress, bool silent, uint64_t runs,
                         uint64_t iterations);
void swarm_progress_start(struct swarm_progress *progress, enum swarm_variant variant);

/* The progress call of swarm_watcher; context is the progress. */
void swarm_progress_show(void *context, uint64_t iteration, double best);

void swarm_progress_end(struct swarm_progress *progress, const struct swarm_run *run);

#endif
