/* SPDX-License-Identifier: MIT
 * contestant.h -- runs one contestant once and brings back its numbers. */
#ifndef BENCH_CONTESTANT_H
#define BENCH_CONTESTANT_H

#include "bench.h"

typedef enum contestant_status {
    CONTESTANT_DONE,
    CONTESTANT_MISSING, /* program or library not here */
    CONTESTANT_CANNOT,  /* it has nothing of the kind */
    CONTESTANT_FAILED,
} contestant_status;

enum { CONTESTANT_TEXT_BYTES = 200, CONTESTANT_NUMBERS_MAX = 64 };

typedef struct contestant_output {
    contestant_status status;
    double numbers[BENCH_FIGURES_MAX][CONTESTANT_NUMBERS_MAX]; /* by their place in a line */
    size_t number_count;                                       /* lines */
    char text[CONTESTANT_TEXT_BYTES]; /* the first line, or what went wrong */
} contestant_output;

/* Runs `program --version` and compares its line with what is expected. */
contestant_output contestant_version(const bench_contestant *who);

/* Runs the program once for a case. With quick, its windows are fewer and shorter. */
contestant_output contestant_run(const bench_contestant *who, const bench_case *what,
                                 unsigned round, bool quick);

#endif
