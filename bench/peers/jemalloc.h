/* SPDX-License-Identifier: MIT
 * jemalloc.h -- how jemalloc gives memory back, however it got into the process. */
#ifndef BENCH_PEERS_JEMALLOC_H
#define BENCH_PEERS_JEMALLOC_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

typedef int (*mallctl_call)(const char *, void *, size_t *, void *, size_t);

/* Sets after which time idle pages go back, in every arena there is, and lets a thread see to it. */
static inline void jemalloc_set_decay(mallctl_call jemalloc, ssize_t milliseconds) {
    bool on = true;
    jemalloc("background_thread", NULL, NULL, &on, sizeof on);
    jemalloc("arenas.dirty_decay_ms", NULL, NULL, &milliseconds, sizeof milliseconds);
    for (unsigned arena = 0; arena < 64; arena++) {
        char name[64];
        snprintf(name, sizeof name, "arena.%u.dirty_decay_ms", arena);
        jemalloc(name, NULL, NULL, &milliseconds, sizeof milliseconds);
    }
}

/* Of this thread and of all arenas. */
static inline bool jemalloc_trim(mallctl_call jemalloc) {
    return jemalloc("thread.tcache.flush", NULL, NULL, NULL, 0) == 0 &&
           jemalloc("arena.4096.purge", NULL, NULL, NULL, 0) == 0;
}

#endif
