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
#include "lock_report.h"
#include "watch.h"

#include <lido/ring.h>
#include <stddef.h>

/* What a thread is at. Each has a lock of its own, which only who asks takes beside it. */
struct crew_hand {
    struct crew *crew;
    lido_mutex lock;    /* over the rest */
    uint64_t thread_id; /* as the kernel counts */
    void *item;         /* NULL: nothing */
    uint32_t done;
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
    void (*tell)(void *context); /* on standard error, who is at what: SIGUSR1, Ctrl-C; or NULL */
    void *context;
    struct lock_report *locks; /* told when half of the items are done or at hand; or NULL */

    /* Set by crew_run. */
    lido_ring *ring;
    struct watch watch;
    uint64_t begin_ns;
    struct crew_hand *hands; /* one a thread */
    lido_mutex lock;         /* over running */
    uint32_t running;
    uint32_t done; /* set at the end */
    bool interrupted;
};

/* Returns NULL when all is done, or as much as a stop let be; else why no thread started. */
const char *crew_run(struct crew *crew);

/* Returns  the item that a thread is at, or NULL. */
void *crew_at_hand(struct crew *crew, uint64_t thread_id);

#endif
