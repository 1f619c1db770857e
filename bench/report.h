/* SPDX-License-Identifier: MIT
 * report.h -- results of a bench as a table for people and as JSON for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "contestant.h"

#include <stdio.h>

/* One contestant in one case: a number a round. */
typedef struct cell {
    contestant_status status;
    size_t round_count;
    double rounds[BENCH_ROUNDS_MAX];
    double median, min, max; /* filled by summarise */
} cell;

typedef struct results {
    const bench *what;
    contestant_output versions[BENCH_CONTESTANTS_MAX];
    cell *cells;                             /* [case][contestant] */
    bool *ran;                               /* cases that were asked for */
    bool is_left_out[BENCH_CONTESTANTS_MAX]; /* contestants that were not */
} results;

cell *cell_of(const results *r, size_t case_index, size_t contestant);

/* Sorts and fills median, min and max of numbers that were measured. */
void summarise(cell *c);

/* Returns  lido / the best contestant of some roles, or a negative number where there is none. */
double ratio_to(const results *r, size_t case_index, size_t lido, unsigned roles);

/* Returns  operations in a second of all threads together, or 0 where nothing was measured. */
double throughput_of(const results *r, size_t case_index, size_t contestant);

/* Returns  throughput / (threads * throughput of one thread), or a negative number where either was
 *          not measured. */
double efficiency_of(const results *r, size_t case_index, size_t contestant);

/* Prints machine and contestants with their versions. */
void report_head(FILE *stream, const results *r);

/* Prints the cases from first to last, which belong to one group. */
void report_group(FILE *stream, const results *r, size_t first, size_t last);

/* Writes the array of results; returns false with errno set when the file could not be written. */
bool report_json(const char *path, const results *r);

#endif
