/* SPDX-License-Identifier: MIT
 * bench_ring.c -- the ring beside ck_ring, rte_ring in its modes, and a queue under a mutex. The forms
 * for one producer and one consumer take part in a table of their own, where lido has none to set
 * against them but its one form for all. */
#include "bench.h"

#define MANY "pair bulk pass tail"
#define ONE  "pair1 bulk1 pass1"

static const bench_contestant contestants[] = {
    {"lido static", BENCH_LIDO, "ring_lido_static", NULL, "lido ", NULL, NULL},
    {"lido shared", BENCH_LIDO, "ring_lido_shared", NULL, "lido ", NULL, NULL},
    {"ck_ring mpmc", BENCH_PEER, "ring_ck", NULL, "ck_ring", "pair pass tail", NULL},
    {"rte_ring mp/mc", BENCH_PEER, "ring_dpdk", NULL, "DPDK", MANY, NULL},
    {"rte_ring rts", BENCH_PEER, "ring_dpdk_rts", NULL, "DPDK", MANY, NULL},
    {"rte_ring hts", BENCH_PEER, "ring_dpdk_hts", NULL, "DPDK", MANY, NULL},
    {"ck_ring spsc", BENCH_PEER, "ring_ck", NULL, "ck_ring", "pair1 pass1", NULL},
    {"rte_ring sp/sc", BENCH_PEER, "ring_dpdk", NULL, "DPDK", ONE, NULL},
    {"mutex", BENCH_NAIVE, "ring_mutex", NULL, NULL, NULL, NULL},
};

#define MOVE(pattern, threads, head, must_)                                                        \
    {                                                                                              \
        .group = "an item in and out, ns", .column = head, .name = "insert+remove, " head,         \
        .must = {must_, 0}, .arguments = {pattern, threads, threads},                              \
        .unit = "ns per item in and out, wall time / items"                                        \
    }
#define TAIL(threads, per_mille, head, must_)                                                      \
    {                                                                                              \
        .group = "an item in short windows, threads where the system puts them, ns",               \
        .column = head, .name = "short windows, " head, .must = {must_, 0},                        \
        .arguments = {"tail", threads, threads, per_mille},                                        \
        .unit = "ns per item in and out, wall time / items"                                        \
    }

static const bench_case cases[] = {
    MOVE("pair", "0", "one thread", 1.0), MOVE("pair", "1", "2nd alive", 1.0),
    MOVE("pass", "1", "1 to 1", 1.0),     MOVE("bulk", "0", "32 at once", 0),
    MOVE("pair1", "0", "1p1c alone", 0),  MOVE("pass1", "1", "1p1c", 0),
    MOVE("bulk1", "0", "1p1c, 32", 0),    TAIL("2", "500", "2 to 2", 1.0),
    TAIL("4", "500", "4 to 4", 1.0),      TAIL("4", "999", "4, 99.9 %", 0.2),
};

int main(int argc, char **argv) {
    return bench_main(
        argc, argv,
        &(bench){"ring", contestants, BENCH_COUNT(contestants), cases, BENCH_COUNT(cases)});
}
