/* SPDX-License-Identifier: MIT
 * All runs of one call of `lido run swarm`, and what is said about them. */
#ifndef SWARM_REPORT_H
#define SWARM_REPORT_H

#include "swarm/optimise.h"

#include <stdio.h>

/* Median with the least and the most of the rounds. */
struct swarm_spread {
    double median, min, max;
};

struct swarm_session {
    struct swarm_options options;
    uint64_t rounds;
    bool runs_variant[SWARM_VARIANT_COUNT];
    struct swarm_run *runs;    /* rounds x SWARM_VARIANT_COUNT */
    double *best_of, *mean_of; /* iterations; the same for all variants if equal */
    bool equal;                /* one checksum in all runs */
};

static inline struct swarm_run *swarm_session_run(const struct swarm_session *session,
                                                  uint64_t round, enum swarm_variant variant) {
    return &session->runs[round * SWARM_VARIANT_COUNT + variant];
}

/* CPU seconds of a variant. */
struct swarm_spread swarm_spread_of(const struct swarm_session *session,
                                    enum swarm_variant variant);

/* CPU time of a variant divided by that of another in the same round. */
struct swarm_spread swarm_ratio(const struct swarm_session *session, enum swarm_variant variant,
                                enum swarm_variant to);

/* What the ratio of pool to malloc means, as one sentence. */
void swarm_in_plain_words(const struct swarm_session *session, char *text, size_t size);

void swarm_print(const struct swarm_session *session, FILE *out);

/* Both return  false: the file could not be written; errno says why. */
bool swarm_write_json(const struct swarm_session *session, const char *path);
bool swarm_write_plot(const struct swarm_session *session, const char *path);

#endif
