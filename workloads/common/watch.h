/* SPDX-License-Identifier: MIT
 * watch.h -- what the main thread does while others work: it shows progress and listens to Ctrl-C.
 *
 * SIGINT and SIGTERM are blocked in all threads and read from a descriptor, so that an interruption
 * is an ordinary event. The first one is told to the workers; a second one ends the program at once.
 * SIGUSR1 asks what the program is at, and changes nothing. */
#ifndef COMMON_WATCH_H
#define COMMON_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
    const char *name; /* of the program, for lines */
    bool silent;
    /* How much of `total` is done. */
    uint32_t (*read_done)(void *context);
    void (*interrupt)(void *context);
    void (*tell)(void *context); /* at SIGUSR1, and behind an interruption */
    void *context;
    uint32_t total;
    int signals, wake;
};

/* Blocks the signals; before the first thread is started.
 *
 * Returns  whether the descriptors were to be had; without them nothing is watched, and errno says why. */
bool watch_begin(struct watch *watch);
/* Watches until some thread calls watch_end. */
void watch_run(struct watch *watch);
void watch_end(struct watch *watch);
/* Gives the descriptors back; the signals stay blocked, so that what was done can be stored. */
void watch_close(struct watch *watch);
/* Lets them end the program again, for what is left may wait for others: who reads its report, say. Those
 * that came since are forgotten, as they had nothing to stop any more. */
void watch_forget(void);

#endif
