/* SPDX-License-Identifier: MIT
 * bench.h -- how lido is measured beside its peers.
 *
 * A bench is a table of contestants and a table of cases. A contestant is a program of its own that
 * prints one number a line (worker.h has what such programs share), so that no two allocators live in
 * one process. bench_main runs all contestants of a case in turn, round after round:
 *
 *      round 1:  A B C      round 2:  A B C      ...      one run: several short windows, their median
 *
 * and reports for each the median over the rounds, the smallest and the largest. All figures are
 * costs. The result of a case is the ratio lido / best peer; beside it stands lido / naive, the way
 * people do it by hand. A contestant that is not installed is shown as missing.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>

enum {
    BENCH_ROUNDS_MAX = 101,
    BENCH_CONTESTANTS_MAX = 24,
    BENCH_ARGUMENTS_MAX = 12,
    BENCH_AGAINST_MAX = 4,
    BENCH_FIGURES_MAX = 4
};

typedef enum bench_role {
    BENCH_LIDO = 1 << 0, /* each gets a result of its own; its name is added to the case's */
    BENCH_PEER = 1 << 1,
    BENCH_POOL = 1 << 2,  /* a peer too, and no general malloc */
    BENCH_NAIVE = 1 << 3, /* a peer that counts for the second ratio alone */
    BENCH_FLOOR = 1 << 4, /* no peer: what remains when nothing is done */
    BENCH_VARIANT =
        1 << 5, /* no peer: lido itself in another setting, to see the setting's price */
} bench_role;

typedef struct bench_contestant {
    const char *name;
    bench_role role;
    const char *program; /* beside the bench in peers/, or a path relative to it with a slash */
    const char *preload; /* a library to put in front, or NULL */
    const char
        *expected; /* how its version line must begin, so that a missing library is noticed */
    const char *patterns; /* the first arguments it takes part in, with spaces; NULL: all */
    const char *extra;    /* one more argument behind those of the case, or NULL */
} bench_contestant;

/* A contestant that a case wants to see lido beside, whoever is best. */
typedef struct bench_against {
    const char *name;
    double must; /* the ratio that must be reached; 0: none is asked for */
} bench_against;

typedef enum bench_kind {
    BENCH_PRINTED = 0, /* the median of the numbers that the program prints */
    BENCH_INSTRUCTIONS, /* instructions an operation, by callgrind; needs `--fixed N` to be understood */
    BENCH_SYSTEM_CALLS, /* system calls between two calls of getppid, counted by ptrace */
} bench_kind;

typedef struct bench_case {
    const char *group;  /* cases of one group share a table on the terminal */
    const char *column; /* short: its head there */
    const char *name;   /* whole: in the JSON */
    const char *unit;
    const char *arguments[BENCH_ARGUMENTS_MAX]; /* what the contestant's program is told */
    bench_kind kind;
    bool subtract_floor; /* the floor's figure of the same round is taken off */
    bool quiet;          /* a run's figure is its quickest window, not the median: for threads in
                                   lock step, where any interruption of either spoils a window */
    bool slow;           /* seconds a run: fewer rounds */
    bool is_no_cost;     /* tells about the runs; less is not better, and no ratio is made */
    double must[2];      /* ratio to the best peer that must be reached; by lido contestant */
    double must_malloc;  /* the same to the best of BENCH_PEER alone */
    unsigned threads;    /* not 0: the group shows throughput and efficiency beside the cost */
    bool each_own;       /* with threads: the cost is each thread's own, not wall time over all */
    bool left_out;       /* stands in the table as not measured */
    bench_against against[BENCH_AGAINST_MAX]; /* lines of the first lido contestant on top */
    unsigned figure; /* which number of a line is meant; cases that differ in nothing else of the
                                   run are measured in the same runs */
    bool bounded;    /* the first lido contestant has an absolute bar, at_most */
    double at_most;
} bench_case;

typedef struct bench {
    const char *name;
    const bench_contestant *contestants;
    size_t contestant_count;
    const bench_case *cases;
    size_t case_count;
} bench;

/* The main of a bench: --rounds N, --quick, --only TEXT, --json FILE,
 * --against TEXT, --urgent, --no-progress, or --help alone.
 * Returns  0 done, 1 lido could not be measured or the file not written, 2 wrong usage. */
int bench_main(int argc, char **argv, const bench *what);

#define BENCH_COUNT(table) (sizeof(table) / sizeof(table)[0])

#endif
