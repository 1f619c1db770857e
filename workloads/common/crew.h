/* SPDX-License-Identifier: MIT
 * crew.h -- threads that work off a list, with progress, and a stop that Ctrl-C asks for.
 *
 *      items, in order --> ring --> thread --> done
 *                            \----> thread --> done
 *
 * The ring is filled and closed before the first thread starts; so threads never wait for work, none
 * has work of its own that another would have to steal, and a stop is emptying the ring. */
#ifndef COMMON_CREW_H
#define COMMON_CREW_H

#include "hold.h"
#include "watch.h"

#include <lido/ring.h>
#include <stddef.h>

/* What a thread is at. */
struct crew_hand {
    uint64_t thread_id; /* as the kernel counts */
    void *item;         /* NULL: nothing */
};

struct crew {
    const char *name; /* of the program, for messages */
    bool silent;
    uint32_t threads; /* asked for; crew_run sets it to how many there were */
    void *items;      /* an array; done in its order */
    size_t item_bytes;
    uint32_t count;
    /* Does one item; false: begin no more. */
    bool (*work)(void *context, void *item);
    void (*end_thread)(void);    /* the last that each thread does */
    void (*half)(void *context); /* when half of the items are done; in the thread that did it */
    void (*tell)(void *context); /* says on standard error who is at what: SIGUSR1, Ctrl-C */
    void *context;

    /* Set by crew_run. */
    lido_ring *ring;
    struct watch watch;
    lido_mutex lock; /* over all below */
    struct crew_hand *hands;
    uint32_t started, done, running;
    bool interrupted;
};

/* Returns NULL when all is done, or as much as a stop let be; else why no thread started. */
const char *crew_run(struct crew *crew);

/* Returns  the item that a thread is at, or NULL. */
void *crew_at_hand(struct crew *crew, uint64_t thread_id);
/* How many items are done, and how many nobody has begun. */
void crew_read(struct crew *crew, uint32_t *done, uint32_t *left);

#endif
