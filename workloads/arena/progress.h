/* SPDX-License-Identifier: MIT
 * Progress of the runs on stderr: a bar on a terminal, a line a run otherwise, or nothing. */
#ifndef ARENA_PROGRESS_H
#define ARENA_PROGRESS_H

#include "arena/play.h"

struct arena_progress {
    bool silent, terminal;
    const char *variant;
    uint64_t run, runs; /* this one, and how many there will be */
    uint64_t ticks;
    uint64_t started_ns, shown_ns;
};

void arena_progress_start(struct arena_progress *progress, enum arena_variant variant);

/* The progress call of arena_watcher; context is the progress. */
void arena_progress_show(void *context, uint64_t tick);

void arena_progress_end(const struct arena_progress *progress, const struct arena_run *run);

#endif
