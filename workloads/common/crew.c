/* SPDX-License-Identifier: MIT
 * crew.c -- see crew.h. A thread that is asked to stop finishes its item. */
#include "crew.h"

#include "text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Takes what nobody has begun out of the ring. */
static void stop(struct crew *crew) {
    void *items[64];
    while (lido_ring_remove_many(crew->ring, 0, 64, items) > 0) {}
}

/* The next item; did: the one before is done. */
static void *take(struct crew *crew, struct crew_hand *hand, bool did) {
    void *item;
    if (lido_ring_remove(crew->ring, LIDO_FOREVER, &item) != LIDO_OK)
        item = NULL; /* closed and empty */
    hold(&crew->lock);
    crew->done += did;
    hand->item = item;
    bool half = did && crew->done == crew->count / 2;
    let_go(&crew->lock);
    if (half && crew->half != NULL)
        crew->half(crew->context);
    return item;
}

static void *run_thread(void *context) {
    struct crew *crew = context;
    uint64_t thread_id = (uint64_t)gettid();
    hold(&crew->lock);
    struct crew_hand *hand = &crew->hands[crew->started++];
    hand->thread_id = thread_id;
    let_go(&crew->lock);
    bool good = false;
    for (void *item; (item = take(crew, hand, good)) != NULL;) {
        good = crew->work(crew->context, item);
        if (!good)
            stop(crew);
    }
    crew->end_thread();
    hold(&crew->lock);
    bool last = --crew->running == 0;
    let_go(&crew->lock);
    if (last)
        watch_end(&crew->watch);
    return NULL;
}

void crew_read(struct crew *crew, uint32_t *done, uint32_t *left) {
    lido_ring_stats stats = {.struct_size = sizeof stats};
    (void)lido_ring_read_stats(crew->ring, &stats);
    *left = (uint32_t)stats.length;
    hold(&crew->lock);
    *done = crew->done;
    let_go(&crew->lock);
}

static uint32_t read_done(void *context) {
    uint32_t done, left;
    crew_read(context, &done, &left);
    return done;
}

static void interrupt(void *context) {
    struct crew *crew = context;
    crew->interrupted = true;
    stop(crew);
}

static void tell(void *context) {
    struct crew *crew = context;
    if (crew->tell != NULL)
        crew->tell(crew->context);
}

void *crew_at_hand(struct crew *crew, uint64_t thread_id) {
    void *item = NULL;
    hold(&crew->lock);
    for (uint32_t i = 0; i < crew->started; i++)
        item = crew->hands[i].thread_id == thread_id ? crew->hands[i].item : item;
    let_go(&crew->lock);
    return item;
}

static bool fill(struct crew *crew) {
    uint64_t capacity = 2;
    while (capacity < crew->count)
        capacity *= 2;
    bool good = lido_ring_create(
                    LIDO_RING_OPTIONS(.capacity = capacity, .name = "work", .owner = crew->name),
                    &crew->ring) == LIDO_OK;
    for (uint32_t i = 0; i < crew->count && good; i++)
        good =
            lido_ring_try_insert(crew->ring, (char *)crew->items + i * crew->item_bytes) == LIDO_OK;
    if (good)
        lido_ring_close(crew->ring);
    return good;
}

/* Starts the threads. Returns  0, or why there is none. */
static int start(struct crew *crew, pthread_t *threads) {
    uint32_t started = 0;
    int error = 0;
    crew->running =
        crew->threads; /* as if all were there: nobody is the last before that is known */
    for (; started < crew->threads && error == 0; started += error == 0)
        error = pthread_create(&threads[started], NULL, run_thread, crew);
    hold(&crew->lock);
    crew->running -= crew->threads - started;
    bool all_gone = crew->running == 0;
    let_go(&crew->lock);
    if (all_gone)
        watch_end(&crew->watch);
    crew->threads = started;
    return started > 0 ? 0 : error;
}

const char *crew_run(struct crew *crew) {
    if (!fill(crew))
        return lido_last_error();
    pthread_t *threads = must_realloc(NULL, crew->threads * sizeof *threads);
    crew->hands = must_realloc(NULL, crew->threads * sizeof *crew->hands);
    memset(crew->hands, 0, crew->threads * sizeof *crew->hands);
    crew->lock = (lido_mutex)LIDO_MUTEX_INIT("crew");
    crew->watch = (struct watch){.name = crew->name,
                                 .silent = crew->silent,
                                 .read_done = read_done,
                                 .interrupt = interrupt,
                                 .tell = tell,
                                 .context = crew,
                                 .total = crew->count};
    watch_begin(&crew->watch);
    int error = start(crew, threads);
    if (error == 0)
        watch_run(&crew->watch);
    for (uint32_t i = 0; i < crew->threads; i++)
        pthread_join(threads[i], NULL);
    watch_close(&crew->watch);
    stop(crew);
    (void)lido_ring_destroy(crew->ring);
    (void)lido_mutex_destroy(&crew->lock);
    free(crew->hands);
    free(threads);
    return error == 0 ? NULL : strerror(error);
}
