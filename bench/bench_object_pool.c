/* SPDX-License-Identifier: MIT
 * bench_object_pool.c -- objects: lido beside apr_reslist and a pool written by hand. */
#include "bench.h"

static const bench_contestant contestants[] = {
    {"lido static", BENCH_LIDO, "object_lido_static", NULL, "lido ", NULL, NULL},
    {"lido shared", BENCH_LIDO, "object_lido_shared", NULL, "lido ", NULL, NULL},
    {"apr_reslist", BENCH_PEER, "object_apr", NULL, "apr-util ", NULL, NULL},
    {"mutex and condition variable", BENCH_NAIVE, "object_mutex", NULL, NULL, NULL, NULL},
};

#define CYCLE(objects, threads, alive, head, must_)                                                \
    {                                                                                              \
        .group = "acquire+release of objects, tracking on, ns: wall time / all operations",        \
        .column = head, .name = "acquire+release, " head, .must = {must_, 0},                      \
        .arguments = {"cycle", objects, threads, alive},                                           \
        .unit = "ns per acquire+release, wall time / all operations"                               \
    }

static const bench_case cases[] = {
    CYCLE("1", "1", "0", "only thread", 0), CYCLE("1", "1", "1", "1 thread", 0.125),
    CYCLE("2", "2", "0", "2 on 2", 0),      CYCLE("8", "8", "0", "8 on 8", 0.25),
    CYCLE("4", "8", "0", "8 on 4", 0),      CYCLE("32", "32", "0", "32 on 32", 0),
};

int main(int argc, char **argv) {
    return bench_main(
        argc, argv,
        &(bench){"object_pool", contestants, BENCH_COUNT(contestants), cases, BENCH_COUNT(cases)});
}
