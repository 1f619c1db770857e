/* SPDX-License-Identifier: MIT
 * What all runs gave, and the three ways to show it. */
#ifndef ARENA_REPORT_H
#define ARENA_REPORT_H

#include "arena/play.h"

#include <stdio.h>

struct arena_session {
    struct arena_options options;
    uint64_t rounds;
    bool runs_variant[ARENA_VARIANT_COUNT];
    struct arena_run *runs;               /* [round][variant] */
    double *tick_us[ARENA_VARIANT_COUNT]; /* of the last round */
    uint64_t *sums;                       /* of the first run, to which all are compared */
    uint64_t *other_sums;                 /* of the latest */
    bool equal, adds_up, peaks_agree;
    uint64_t first_difference; /* when not equal: the tick, from 1 */
    const char *different;     /* and the variant */
};

static inline struct arena_run *arena_session_run(const struct arena_session *session,
                                                  uint64_t round, int variant) {
    return &session->runs[round * ARENA_VARIANT_COUNT + (uint64_t)variant];
}

struct arena_spread {
    double median, min, max;
};

/* The table, and what it means. */
void arena_print(const struct arena_session *session, FILE *out);

/* Both return false, with errno set, when the file cannot be written. */
bool arena_write_json(const struct arena_session *session, const char *path);
bool arena_write_plot(const struct arena_session *session, const char *path);

#endif
