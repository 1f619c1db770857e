/* SPDX-License-Identifier: MIT
 * bench_object_pool.c -- objects: lido beside pools of C, Java, Rust and Go, and one written by hand. */
#include "bench.h"

/* Go's sync.Pool has no limit: nobody waits there, so it has no part where somebody has to. */
static const bench_contestant contestants[] = {
    {.name = "lido static", BENCH_LIDO, "object_lido_static", .expected = "lido "},
    {.name = "lido shared", BENCH_LIDO, "object_lido_shared", .expected = "lido "},
    {.name = "lido strict", BENCH_VARIANT, "object_lido_strict", .patterns = "crowd hold"},
    {.name = "lido unordered", BENCH_VARIANT, "object_lido_unordered", .patterns = "crowd hold"},
    {.name = "lido untracked", BENCH_VARIANT, "object_lido_untracked", .patterns = "cycle"},
    {.name = "lido fenced", BENCH_VARIANT, "object_lido_fenced", .patterns = "cycle"},
    {.name = "apr_reslist", BENCH_PEER, "object_apr", .expected = "apr-util "},
    {.name = "HikariCP", BENCH_PEER, "object_hikari", .expected = "HikariCP "},
    {.name = "commons-pool2", BENCH_PEER, "object_commons", .expected = "commons-pool2 "},
    {.name = "r2d2", BENCH_PEER, "object_r2d2", .expected = "r2d2 "},
    {.name = "Go sync.Pool", BENCH_PEER, "object_go", .expected = "Go ", .patterns = "cycle burst"},
    {.name = "mutex and condition variable", BENCH_NAIVE, "object_mutex"},
};

/* What the gate must gain over a fence in each call, or the fence would stay (docs/decisions.md). */
#define FENCE_GAIN (1 / 1.3)

#define CYCLE(objects, threads, alive, head, ...)                                                  \
    {                                                                                              \
        .group = "acquire+release of objects, tracking on, ns: wall time / all operations",        \
        .column = head, .name = "acquire+release, " head, .against = {__VA_ARGS__},                \
        .arguments = {"cycle", objects, threads, alive},                                           \
        .unit = "ns per acquire+release, wall time / all operations"                               \
    }

#define CROWD(objects, threads)                                                                    \
    {                                                                                              \
        .group = "fewer objects than threads, ns: wall time / all operations",                     \
        .column = threads " on " objects, .name = "acquire+release, " threads " on " objects,      \
        .against = {{"lido strict", 0}, {"apr_reslist", 0}, {"HikariCP", 0}},                      \
        .arguments = {"crowd", objects, threads},                                                  \
        .unit = "ns per acquire+release, wall time / all operations"                               \
    }

/* One run gives three figures: see object_hold.h. */
enum { BEYOND, SLOW, SHARE };
#define HELD(objects, threads, hold_ns, hold, figure_, group_, name_, unit_, ...)                  \
    {                                                                                              \
        .group = group_, .column = threads "/" objects ", " hold,                                  \
        .name = name_ ", " threads " on " objects ", holds of " hold, .unit = unit_,               \
        .figure = figure_, .against = {__VA_ARGS__}, .slow = true,                                 \
        .is_no_cost = (figure_) == SHARE, .arguments = {                                           \
            "hold",                                                                                \
            objects,                                                                               \
            threads,                                                                               \
            hold_ns                                                                                \
        }                                                                                          \
    }
#define HOLDS(of)                                                                                  \
    of("4", "8", "1000", "1 us"), of("4", "8", "10000", "10 us"),                                  \
        of("4", "8", "100000", "100 us"), of("16", "32", "1000", "1 us"),                          \
        of("16", "32", "10000", "10 us"), of("16", "32", "100000", "100 us")
#define COST(objects, threads, hold_ns, hold)                                                      \
    HELD(objects, threads, hold_ns, hold, BEYOND,                                                  \
         "threads/objects, held for so long: ns an operation takes beyond what the holds alone "   \
         "need",                                                                                   \
         "cost beyond the holds", "ns per operation beyond the holds", {"lido strict", 0},         \
         {"apr_reslist", 0.5}, {"HikariCP", 0})
#define SLOWEST(objects, threads, hold_ns, hold)                                                   \
    HELD(objects, threads, hold_ns, hold, SLOW, "the same, us: the slowest acquire of a thousand", \
         "p99.9 of acquire", "us that the slowest acquire of 1,000 takes", {"lido strict", 0},     \
         {"apr_reslist", 1.0}, {"HikariCP", 0})
#define WAITED(objects, threads, hold_ns, hold)                                                    \
    HELD(objects, threads, hold_ns, hold, SHARE,                                                   \
         "the same, percent: acquires that took more than a microsecond (how much waiting "        \
         "there was)",                                                                             \
         "share of acquires that waited", "percent of acquires of more than 1 us", {NULL, 0})

static const bench_case cases[] = {
    CYCLE("1", "1", "0", "only thread", {"lido untracked", 0}, {"lido fenced", FENCE_GAIN}),
    CYCLE("1", "1", "1", "1 thread", {"apr_reslist", 0.125}, {"HikariCP", 0.1},
          {"lido untracked", 1.05}, {"lido fenced", FENCE_GAIN}),
    CYCLE("2", "2", "0", "2 on 2", {"apr_reslist", 0}, {"HikariCP", 0}, {"lido untracked", 0},
          {"lido fenced", FENCE_GAIN}),
    CYCLE("8", "8", "0", "8 on 8", {"apr_reslist", 0.25}, {"HikariCP", 0}, {"lido untracked", 0},
          {"lido fenced", FENCE_GAIN}),
    CYCLE("32", "32", "0", "32 on 32", {"apr_reslist", 0}, {"HikariCP", 0}, {"lido untracked", 0},
          {"lido fenced", FENCE_GAIN}),
    {.group = "1,000 objects acquired, then released, by one thread, ns each",
     .column = "burst",
     .name = "acquire+release, burst of 1,000",
     .unit = "ns per acquire+release",
     .arguments = {"burst", "1000"},
     .bounded = true,
     .at_most = 20},
    CROWD("4", "8"),
    CROWD("16", "32"),
    HOLDS(COST),
    HOLDS(SLOWEST),
    HOLDS(WAITED),
};

int main(int argc, char **argv) {
    return bench_main(
        argc, argv,
        &(bench){"object_pool", contestants, BENCH_COUNT(contestants), cases, BENCH_COUNT(cases)});
}
