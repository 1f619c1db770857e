/* SPDX-License-Identifier: MIT
 * object_work.h -- the pattern of the object bench, compiled into each contestant: acquire and
 * release without doing anything in between, by THREADS threads on OBJECTS objects.
 *
 * A contestant defines peer_object (what it holds while it has an object), includes this file, which
 * has its main, and defines the functions below; the compiler may inline them.
 */
#ifndef BENCH_OBJECT_WORK_H
#define BENCH_OBJECT_WORK_H

#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

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

static void *sleep_for_ever(void *unused) {
    for (;;)
        worker_sleep_ns(UINT64_C(1000000000));
    return unused;
}

/* `cycle OBJECTS THREADS ALIVE`: wall time over all operations of all threads. ALIVE is 1: a further
 * thread sleeps beside them, because libc's locks are cheaper in a process that has but one. */
int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        peer_version();
        return 0;
    }
    worker_arguments arguments = worker_read_arguments(argc, argv);
    worker_load load = {.run = run_cycle, .wall_of_all = true};
    load.thread_count = (unsigned)arguments.values[1];
    if (strcmp(arguments.pattern, "cycle") != 0 || arguments.values[0] > WORKER_THREADS_MAX)
        worker_fail("usage: cycle OBJECTS THREADS");
    pthread_t asleep;
    if (arguments.values[2] != 0 && pthread_create(&asleep, NULL, sleep_for_ever, NULL) != 0)
        worker_fail("a thread could not be started");
    peer_open((unsigned)arguments.values[0]);
    return worker_measure(&arguments, &load);
}

#endif
