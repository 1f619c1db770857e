/* SPDX-License-Identifier: MIT
 * crew.h -- threads that work off a numbered list, with progress, and a stop that Ctrl-C asks for. */
#ifndef COMMON_CREW_H
#define COMMON_CREW_H

#include "watch.h"

#include <pthread.h>

struct crew {
    const char *name; /* of the program, for messages */
    bool silent;
    uint32_t threads; /* asked for; crew_run sets it to how many there were */
    uint32_t count;   /* items 0 to count - 1 */
    /* Does one item; false: begin no more. */
    bool (*work)(void *context, uint32_t item);
    void *context;
    void (*end_thread)(void); /* the last that each thread does */

    /* Set by crew_run. */
    pthread_mutex_t lock;
    struct watch watch;
    uint32_t next, done, running;
    bool stop, interrupted;
};

/* Returns 0 when all is done, or as much as a stop let be; else the errno why no thread started. */
int crew_run(struct crew *crew);

#endif
