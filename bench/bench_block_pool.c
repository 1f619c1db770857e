/* SPDX-License-Identifier: MIT
 * bench_block_pool.c -- blocks: lido beside allocators and pools. docs/bench.md says how to read it. */
#include "bench.h"

#define OWN_THREAD "pair burst churn"
#define TIMED      OWN_THREAD " turns hand-over xmalloc-test larson cache-thrash cache-scratch steady"
#define MALLOC(name, program, library, expected)                                                   \
    { name, BENCH_PEER, program, library, expected, NULL, NULL }

static const bench_contestant contestants[] = {
    {"lido static", BENCH_LIDO, "block_lido_static", NULL, "lido ", NULL, NULL},
    {"lido shared", BENCH_LIDO, "block_lido_shared", NULL, "lido ", OWN_THREAD " turns", NULL},
    {"lido fenced", BENCH_VARIANT, "block_lido_fenced", NULL, NULL, OWN_THREAD, NULL},
    MALLOC("glibc malloc", "block_malloc", NULL, "glibc "),
    MALLOC("jemalloc preloaded", "block_malloc", "libjemalloc.so.2", "jemalloc "),
    MALLOC("jemalloc static", "block_jemalloc", NULL, "jemalloc "),
    MALLOC("tcmalloc preloaded", "block_malloc", "libtcmalloc_minimal.so.4", "tcmalloc "),
    MALLOC("tcmalloc static", "block_tcmalloc", NULL, "tcmalloc "),
    MALLOC("mimalloc preloaded", "block_malloc", "libmimalloc.so.2.0", "mimalloc "),
    MALLOC("mimalloc by its names", "block_mimalloc", NULL, "mimalloc "),
    {"DPDK rte_mempool inlined", BENCH_POOL, "block_dpdk", NULL, "DPDK ", TIMED, NULL},
    {"GLib GSlice", BENCH_POOL, "block_gslice", NULL, "GLib ", NULL, NULL},
    {"mutex and list", BENCH_NAIVE, "block_mutex", NULL, NULL, NULL, NULL},
    {"floor: own list, unchecked", BENCH_FLOOR, "block_floor", NULL, NULL, OWN_THREAD, NULL},
    {"floor: no allocator", BENCH_FLOOR, "block_none", NULL, NULL, "hand-over", NULL},
};

/* What the gate must gain over a fence in each call, or the fence would stay (docs/decisions.md). */
#define FENCE_GAIN (1 / 1.3)

#define PAIR_UNIT "ns per acquire+release"
#define OWN(pattern, size, threads, head)                                                          \
    {                                                                                              \
        .group = size "-byte blocks, " PAIR_UNIT " in each thread", .column = head,                \
        .name = pattern " " size " B, threads: " threads, .must = {0.8, 1.1},                      \
        .against = {{"lido fenced", FENCE_GAIN}}, .arguments = {pattern, size, threads},           \
        .unit = PAIR_UNIT                                                                          \
    }
#define OWN_SIZE(size)                                                                             \
    OWN("pair", size, "1", "pair"), OWN("burst", size, "1", "burst"),                              \
        OWN("churn", size, "1", "churn"), OWN("pair", size, "2", "pair x2"),                       \
        OWN("burst", size, "2", "burst x2"), OWN("churn", size, "2", "churn x2")

#define TURNS(threads, head)                                                                       \
    {                                                                                              \
        .group = "two pools of 64-byte blocks by turns, " PAIR_UNIT " in each thread",             \
        .column = head, .name = "two pools by turns, threads: " threads, .unit = PAIR_UNIT,        \
        .arguments = {                                                                             \
            "turns",                                                                               \
            "64",                                                                                  \
            threads                                                                                \
        }                                                                                          \
    }
#define HAND_OVER(size)                                                                            \
    {                                                                                              \
        .group =                                                                                   \
            "hand-over to another thread, block written and read, floor taken off, ns per block",  \
        .column = size " B", .name = "hand-over " size " B", .unit = "ns per block",               \
        .arguments = {"hand-over", size, "2"}, .subtract_floor = true, .quiet = true,              \
        .must_malloc = 0.8                                                                         \
    }
#define FAMOUS(pattern, head, size, threads, lock_step)                                            \
    {                                                                                              \
        .group = "well-known patterns, one size, ns per operation", .column = head,                \
        .name = pattern " " size " B, threads: " threads, .unit = "ns per operation",              \
        .arguments = {pattern, size, threads}, .quiet = lock_step                                  \
    }
#define INSTRUCTIONS(pattern, size)                                                                \
    {                                                                                              \
        .group = "instructions per acquire+release and the loop around it (callgrind)",            \
        .column = pattern " " size, .name = "instructions " pattern " " size " B",                 \
        .unit = "instructions per acquire+release", .arguments = {pattern, size, "1"},             \
        .kind = BENCH_INSTRUCTIONS, .bounded = true, .at_most = 60                                 \
    }
#define MEMORY(head, whole, bar, ...)                                                              \
    {                                                                                              \
        .group = "memory, % of the peak's bytes that stay", .column = head, .name = whole,         \
        .unit = "% of the peak", .arguments = {__VA_ARGS__}, .slow = true, .bounded = true,        \
        .at_most = bar                                                                             \
    }

static const bench_case cases[] = {
    OWN_SIZE("64"),
    OWN_SIZE("800"),
    TURNS("1", "1 thread"),
    TURNS("2", "2 threads"),
    HAND_OVER("64"),
    HAND_OVER("800"),
    FAMOUS("larson", "larson", "64", "2", false),
    FAMOUS("xmalloc-test", "xmalloc", "64", "2", true),
    FAMOUS("cache-thrash", "thrash", "16", "2", false),
    FAMOUS("cache-scratch", "scratch", "16", "2", false),
    INSTRUCTIONS("pair", "64"),
    INSTRUCTIONS("burst", "64"),
    INSTRUCTIONS("churn", "64"),
    {.group = "steady state, in 1,000,000 operations",
     .column = "faults",
     .name = "steady state faults 64 B",
     .unit = "page faults in 1,000,000 operations",
     .arguments = {"steady", "64"},
     .bounded = true},
    {.group = "steady state, in 1,000,000 operations",
     .column = "system calls",
     .name = "steady state system calls 64 B",
     .unit = "system calls in 1,000,000 operations",
     .arguments = {"steady", "64"},
     .kind = BENCH_SYSTEM_CALLS,
     .bounded = true},
    {.group = "pauses",
     .column = "p99.9 get, ns",
     .name = "trim under load 800 B p99.9 of acquire",
     .unit = "ns, clock included",
     .arguments = {"trim-under-load", "800", "20000"}},
    {.group = "pauses",
     .column = "longest, us",
     .name = "coalesce 100000 blocks of 800 B longest acquire",
     .unit = "us",
     .arguments = {"coalesce", "800", "100000"},
     .bounded = true,
     .at_most = 1000},
    MEMORY("trim", "peak released, trim", 5, "peak", "800", "80000", "0", "1"),
    MEMORY("1 s", "peak released, a second by itself", 5, "peak", "800", "80000", "0", "0"),
    MEMORY("5 % + trim", "peak, 5 % survive 3 turnovers, trim", 20, "peak", "800", "80000", "50",
           "1"),
    MEMORY("5 % + 1 s", "peak, 5 % survive 3 turnovers, a second by itself", 20, "peak", "800",
           "80000", "50", "0"),
    {.group = "grow tenfold and shrink, three times: resident bytes per live byte, over time",
     .column = "RSS / live",
     .name = "grow-shrink 800 B",
     .unit = "resident bytes per live byte",
     .arguments = {"grow-shrink", "800", "60000"},
     .slow = true},
};

int main(int argc, char **argv) {
    return bench_main(
        argc, argv,
        &(bench){"block_pool", contestants, BENCH_COUNT(contestants), cases, BENCH_COUNT(cases)});
}
