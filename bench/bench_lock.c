/* SPDX-License-Identifier: MIT
 * bench_lock.c -- lido_mutex, which profiles all the time, beside mutexes that do not; and lido_rwlock
 * beside that of the C library. */
#include "bench.h"

#define ALONE "pair contended wait"

static const bench_contestant contestants[] = {
    {"lido static", BENCH_LIDO, "lock_lido_static", NULL, "lido ", ALONE, NULL},
    {"lido shared", BENCH_LIDO, "lock_lido_shared", NULL, "lido ", ALONE, NULL},
    {"lido rwlock", BENCH_LIDO, "lock_lido_rwlock", NULL, "lido ", "share", NULL},
    {"pthread mutex", BENCH_PEER, "lock_pthread", NULL, "glibc ", ALONE, NULL},
    {"pthread rwlock", BENCH_PEER, "lock_rwlock", NULL, "glibc ", NULL, NULL},
};

#define PAIR(column_, alive, inlined, called)                                                      \
    {                                                                                              \
        .group = "lock+unlock uncontended, profiled, ns", .column = column_,                       \
        .name = "lock+unlock uncontended, " column_, .unit = "ns per lock+unlock",                 \
        .arguments = {"pair", alive}, .must = {                                                    \
            inlined,                                                                               \
            called                                                                                 \
        }                                                                                          \
    }

#define CONTENDED(threads)                                                                         \
    {                                                                                              \
        .group = "contended, ns: wall time / all operations", .column = threads " threads",        \
        .name = "contended " threads " threads",                                                   \
        .unit = "ns per lock+unlock, wall time / all operations",                                  \
        .arguments = {"contended", threads}, .must = {                                             \
            1.0,                                                                                   \
            1.0                                                                                    \
        }                                                                                          \
    }

#define WAIT(threads)                                                                              \
    {                                                                                              \
        .group = "contended, ns: the slowest lock of a thousand", .column = threads " threads",    \
        .name = "p99.9 of lock, " threads " threads",                                              \
        .unit = "ns that the slowest lock of 1,000 takes", .arguments = {"wait", threads},         \
        .must = {                                                                                  \
            1.0,                                                                                   \
            1.0                                                                                    \
        }                                                                                          \
    }

#define SHARE(group_, threads, writes, head, figure_)                                              \
    {                                                                                              \
        .group = "rwlock, 1 or 20 % write, ns: " group_, .column = head,                           \
        .name = "rwlock, " group_ ", " head, .unit = "ns",                                         \
        .arguments = {"share", threads, writes}, .figure = figure_                                 \
    }
#define SHARES(group, figure)                                                                      \
    SHARE(group, "2", "10", "2 thr, 1 %", figure), SHARE(group, "4", "10", "4 thr, 1 %", figure),  \
        SHARE(group, "8", "10", "8 thr, 1 %", figure),                                             \
        SHARE(group, "2", "200", "2 thr, 20 %", figure),                                           \
        SHARE(group, "4", "200", "4 thr, 20 %", figure),                                           \
        SHARE(group, "8", "200", "8 thr, 20 %", figure)

static const bench_case cases[] = {
    PAIR("2nd thread alive", "1", 0.9, 1.0),
    PAIR("one thread", "0", 1.0, 0),
    CONTENDED("2"),
    CONTENDED("4"),
    CONTENDED("8"),
    WAIT("2"),
    WAIT("4"),
    WAIT("8"),
    SHARES("wall time / all operations", 0),
    SHARES("the slowest lock of a thousand", 1),
};

int main(int argc, char **argv) {
    return bench_main(
        argc, argv,
        &(bench){"lock", contestants, BENCH_COUNT(contestants), cases, BENCH_COUNT(cases)});
}
