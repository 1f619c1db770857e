/* SPDX-License-Identifier: MIT
 * object_work.h -- the patterns of the object bench, compiled into each contestant. Nothing is done
 * with an object but in `hold`.
 *
 *   cycle OBJECTS THREADS ALIVE     acquire and release; wall time over all operations. ALIVE is 1: a
 *                                   further thread sleeps beside them, because libc's locks are cheaper
 *                                   in a process that has but one
 *   crowd OBJECTS THREADS           the same with fewer objects than threads: some will wait
 *   burst OBJECTS                   one thread takes them all, then returns them all; each
 *   hold OBJECTS THREADS HOLD_NS    what an operation costs beyond its hold: see object_hold.h
 *
 * A contestant defines peer_object (what it holds while it has an object), includes this file, which
 * has its main, and defines the functions below; the compiler may inline them. Peers in other
 * languages have the same patterns in peers/foreign/.
 */
#ifndef BENCH_OBJECT_WORK_H
#define BENCH_OBJECT_WORK_H

#include "worker.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { OBJECTS_MAX = 1024 };

static void peer_open(unsigned object_count);
static inline void *peer_acquire(peer_object *held);
static inline void peer_release(peer_object *held);
static void peer_version(void);

static void run_cycle(void *context, unsigned thread, uint64_t count) {
    (void)context, (void)thread;
    for (uint64_t i = 0; i < count; i++) {
        peer_object held;
        worker_keep(peer_acquire(&held));
        peer_release(&held);
    }
}

static void run_burst(void *context, unsigned thread, uint64_t count) {
    static peer_object held[OBJECTS_MAX];
    const uint64_t *object_count = context;
    (void)thread;
    while (count > 0) {
        uint64_t now = count < *object_count ? count : *object_count;
        for (uint64_t i = 0; i < now; i++)
            worker_keep(peer_acquire(&held[i]));
        for (uint64_t i = 0; i < now; i++)
            peer_release(&held[i]);
        count -= now;
    }
}

static void *sleep_for_ever(void *unused) {
    for (;;)
        worker_sleep_ns(UINT64_C(1000000000));
    return unused;
}

#include "object_hold.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        peer_version();
        return 0;
    }
    worker_arguments arguments = worker_read_arguments(argc, argv);
    worker_load load = {.run = run_cycle, .context = &arguments.values[0], .wall_of_all = true};
    bool is_cycle = strcmp(arguments.pattern, "cycle") == 0,
         is_hold = strcmp(arguments.pattern, "hold") == 0;
    load.thread_count = (unsigned)arguments.values[1];
    if (strcmp(arguments.pattern, "burst") == 0) {
        load.run = run_burst;
        load.thread_count = 1;
    } else if (!is_cycle && !is_hold && strcmp(arguments.pattern, "crowd") != 0) {
        worker_fail("usage: cycle OBJECTS THREADS ALIVE | crowd OBJECTS THREADS | burst OBJECTS | "
                    "hold OBJECTS THREADS HOLD_NS");
    }
    if (arguments.values[0] < 1 || arguments.values[0] > OBJECTS_MAX)
        worker_fail("1 to %d objects", OBJECTS_MAX);
    peer_open((unsigned)arguments.values[0]);
    if (is_hold)
        return measure_holds(&arguments);
    pthread_t asleep;
    if (is_cycle && arguments.values[2] != 0 &&
        pthread_create(&asleep, NULL, sleep_for_ever, NULL) != 0)
        worker_fail("a thread could not be started");
    return worker_measure(&arguments, &load);
}

#endif
