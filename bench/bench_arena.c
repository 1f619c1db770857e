/* SPDX-License-Identifier: MIT
 * bench_arena.c -- ticks of `lido run arena`: dense pools beside the same game in other stores.
 *
 * The contestants are the same program with another store. The median tick is compared with the best of
 * all, which is a dense array; the slowest tick in a thousand with malloc. */
#include "bench.h"

#define STORE(name, role, store)                                                                   \
    { name, role, "../lido", NULL, "lido ", NULL, "--variant=" store }
#define ARENA(figure)                                                                              \
    { "run", "arena", "--no-progress", "--repeat=1", "--ticks=6000", "--measure", figure }

static const bench_contestant contestants[] = {
    STORE("lido", BENCH_LIDO, "lido"),
    STORE("dense array, swap-remove", BENCH_POOL, "array"),
    STORE("places with a bitmap", BENCH_POOL, "bitmap"),
    STORE("free list, linked list", BENCH_POOL, "free-list"),
    STORE("malloc, linked list", BENCH_PEER, "malloc"),
};

static const bench_case cases[] = {
    {.group = "ticks of the arena, us of CPU",
     .column = "p50",
     .name = "tick, p50",
     .unit = "us of CPU per tick",
     .arguments = ARENA("p50"),
     .slow = true,
     .must = {1.15, 0}},
    {.group = "ticks of the arena, us of CPU",
     .column = "p99.9",
     .name = "tick, p99.9",
     .unit = "us of CPU per tick",
     .arguments = ARENA("p999"),
     .slow = true,
     .must_malloc = 1},
};

int main(int argc, char **argv) {
    return bench_main(
        argc, argv,
        &(bench){"arena", contestants, BENCH_COUNT(contestants), cases, BENCH_COUNT(cases)});
}
