/* SPDX-License-Identifier: MIT
 * bench_scaling.c -- every capability with 1, 2, 3 ... threads, to twice the processors there are.
 *
 * How many processors there are, affinity and the quota of the cgroup decide. With more threads than
 * that the system takes turns, which says nothing of a library: those cases stand in the table as
 * not measured. */
#include "bench.h"
#include "common/processors.h"
#include "worker.h"

#include <stdio.h>

#define PEER(name, program, library, expected, patterns)                                           \
    { name, BENCH_PEER, program, library, expected, patterns, NULL }
#define LIDO(name, program, patterns)                                                              \
    { name, BENCH_LIDO, program, NULL, "lido ", patterns, NULL }

static const bench_contestant contestants[] = {
    LIDO("lido block_pool", "block_lido_static", "burst"),
    PEER("glibc malloc", "block_malloc", NULL, "glibc ", "burst"),
    PEER("mimalloc by its names", "block_mimalloc", NULL, "mimalloc ", "burst"),
    PEER("tcmalloc static", "block_tcmalloc", NULL, "tcmalloc ", "burst"),
    LIDO("lido object_pool", "object_lido_static", "cycle"),
    PEER("apr_reslist", "object_apr", NULL, "apr-util ", "cycle"),
    {"mutex and condition variable", BENCH_NAIVE, "object_mutex", NULL, NULL, "cycle", NULL},
    LIDO("lido dense_pool", "scaling_lido", "dense"),
    PEER("glibc malloc and free", "scaling_pthread", NULL, "glibc ", "dense"),
    LIDO("lido lock", "scaling_lido", "own one read"),
    PEER("pthread", "scaling_pthread", NULL, "glibc ", "own one read"),
    LIDO("lido ring", "ring_lido_static", "pair pass"),
    PEER("rte_ring mp/mc", "ring_dpdk", NULL, "DPDK", "pair pass"),
    {"queue under a mutex", BENCH_NAIVE, "ring_mutex", NULL, NULL, "pair pass", NULL},
};

/* What is measured. T stands for the number of threads, H for half of it. */
static const struct family {
    const char *name, *unit;
    const char *arguments[4], *alone[4]; /* alone: with one thread; empty: the same */
    bool each_own;                       /* the cost is each thread's mean, not wall time */
    unsigned step;                       /* threads come in so many */
} families[] = {
    {"block_pool", "ns per acquire+release", {"burst", "64", "T"}, {NULL}, true, 1},
    {"object_pool", "ns per acquire+release", {"cycle", "T", "T", "1"}, {NULL}, false, 1},
    {"dense_pool", "ns per acquire+release", {"dense", "T"}, {NULL}, false, 1},
    {"mutex, each its own", "ns per lock+unlock", {"own", "T"}, {NULL}, false, 1},
    {"mutex, one for all", "ns per lock+unlock", {"one", "T"}, {NULL}, false, 1},
    {"rwlock, all read", "ns per lock+unlock", {"read", "T"}, {NULL}, false, 1},
    {"ring", "ns per item in and out", {"pass", "H", "H"}, {"pair", "0", "0"}, false, 2},
};

enum { STEPS_MAX = 16, CASES_MAX = BENCH_COUNT(families) * STEPS_MAX };

static bench_case cases[CASES_MAX];
static size_t case_count;

static const char *keep(const char *format, const char *text, unsigned number) {
    static char kept[8 * CASES_MAX][96];
    static size_t count;
    snprintf(kept[count], sizeof kept[count], format, text, number);
    return kept[count++];
}

static const char *fill_in(const char *word, unsigned threads) {
    if (word[0] != 'T' && word[0] != 'H')
        return word;
    return keep("%s%u", "", word[0] == 'T' ? threads : threads / 2);
}

static void add_case(const struct family *family, unsigned threads) {
    bool is_alone = threads == 1 && family->alone[0];
    const char *const *words = is_alone ? family->alone : family->arguments;
    bench_case *one = &cases[case_count++];
    *one = (bench_case){
        .group = keep("%s, %u processors, cost in ns", family->name, count_processors()),
        .column = keep("%s%u", threads == 1 ? "threads: " : "", threads),
        .name = keep("scaling %s, threads: %u", family->name, threads),
        .unit = family->unit,
        .threads = threads,
        .each_own = family->each_own,
        .left_out = threads > count_processors(),
    };
    for (size_t i = 0; i < BENCH_COUNT(family->arguments) && words[i]; i++)
        one->arguments[i] = fill_in(words[i], threads);
}

/* 1, 2, 3, 4, 6, 8, 12, 16 ... */
static unsigned step_after(unsigned threads) {
    unsigned power = 1;
    while (power * 2 <= threads)
        power *= 2;
    return threads < 2 ? threads + 1 : threads + power / 2;
}

int main(int argc, char **argv) {
    unsigned most = 2 * count_processors();
    if (most > WORKER_THREADS_MAX)
        most = WORKER_THREADS_MAX;
    for (size_t i = 0; i < BENCH_COUNT(families); i++)
        for (unsigned n = 1; n <= most; n = step_after(n))
            if (n == 1 || n % families[i].step == 0)
                add_case(&families[i], n);
    return bench_main(
        argc, argv, &(bench){"scaling", contestants, BENCH_COUNT(contestants), cases, case_count});
}
