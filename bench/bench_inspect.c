/* SPDX-License-Identifier: MIT
 * bench_inspect.c -- what pools are worth in `lido run inspect`, on the standard library of python3.
 *
 * The contestants are the same program with another switch: detectors from a pool; one immutable set of
 * queries for all of them, the peer that tree-sitter's own documentation suggests; a detector made for
 * every file, the naive way. Run it in the root of the repository: the rules are those of
 * workloads/inspect/rules.
 */
#include "bench.h"

#define LIDO(name, role, switch_)                                                                  \
    { name, role, "../lido", NULL, "lido ", NULL, switch_ }
#define INSPECT(...)                                                                               \
    { "run", "inspect", "--no-progress", "--measure", __VA_ARGS__ }
#define RULES "--rules", "workloads/inspect/rules"

static const bench_contestant contestants[] = {
    LIDO("lido", BENCH_LIDO, NULL),
    LIDO("one shared query set", BENCH_PEER, "--share-rules"),
    LIDO("a detector for each file", BENCH_NAIVE, "--no-pool"),
    LIDO("plain malloc", BENCH_PEER, "--plain-malloc"),
    LIDO("one after another", BENCH_PEER, "--serial"),
};

static const bench_case cases[] = {
    {.group = "analysing with eight rule files",
     .column = "a sample",
     .name = "CPU a file with the shipped rules, every eighteenth file",
     .unit = "ms of CPU per file",
     .arguments = INSPECT("cpu", "--threads", "2", "--sample", "100", RULES)},
    {.group = "analysing with eight rule files",
     .column = "all files",
     .name = "CPU a file with the shipped rules, all files",
     .unit = "ms of CPU per file",
     .arguments = INSPECT("rules", "--threads", "2", RULES),
     .must = {1.05, 0}},
    {.group = "tree-sitter's memory, all files, no rules",
     .column = "CPU",
     .name = "CPU a file, block pools under tree-sitter",
     .unit = "ms of CPU per file",
     .arguments = INSPECT("parse", "--threads", "2")},
    {.group = "eight detectors ready, on the processors there are",
     .column = "wall",
     .name = "eight detectors ready",
     .unit = "ms, wall time",
     .arguments = INSPECT("ready", "--detectors", "8", "--sample", "1", RULES),
     .must = {0.6, 0}},
    {.group = "detector and results handed over",
     .column = "a file",
     .name = "hand-over a file",
     .unit = "ms per file, wall time",
     .arguments = INSPECT("hand-over", "--threads", "2"),
     .bounded = true,
     .at_most = 1},
    {.group = "whole standard library, 8 threads",
     .column = "peak RSS",
     .name = "peak RSS at 8 threads",
     .unit = "MB",
     .arguments = INSPECT("rss", "--threads", "8"),
     .bounded = true,
     .at_most = 100},
    {.group = "tree-sitter's allocations",
     .column = "to malloc",
     .name = "allocations that reached the system's malloc",
     .unit = "of 1,000 allocations",
     .arguments = INSPECT("system", "--threads", "2"),
     .bounded = true,
     .at_most = 10},
};

int main(int argc, char **argv) {
    return bench_main(
        argc, argv,
        &(bench){"inspect", contestants, BENCH_COUNT(contestants), cases, BENCH_COUNT(cases)});
}
