/* SPDX-License-Identifier: MIT
 * crew.c -- see crew.h. A thread that is asked to stop finishes its item. */
#include "crew.h"

#include "text.h"

#include <errno.h>
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
static void *take(struct crew_hand *hand, bool did) {
    struct crew *crew = hand->crew;
    void *item;
    if (lido_ring_remove(crew->ring, LIDO_FOREVER, &item) != LIDO_OK)
        item = NULL; /* closed and empty */
    hold(&hand->lock);
    hand->done += did;
    hand->item = item;
    let_go(&hand->lock);
    if (item == (char *)crew->items + crew->count / 2 * crew->item_bytes && crew->locks != NULL)
        lock_report_half(crew->locks);
    return item;
}

/* So many threads have ended, or could not be started. */
static void end(struct crew *crew, uint32_t threads) {
    hold(&crew->lock);
    crew->running -= threads;
    bool all = crew->running == 0;
    let_go(&crew->lock);
    if (all)
        watch_end(&crew->watch);
}

static void *run_thread(void *context) {
    struct crew_hand *hand = context;
    struct crew *crew = hand->crew;
    hold(&hand->lock);
    hand->thread_id = (uint64_t)gettid();
    let_go(&hand->lock);
    bool good = false;
    for (void *item; (item = take(hand, good)) != NULL;) {
        good = crew->work(crew->context, item);
        if (!good)
            stop(crew);
    }
    crew->end_thread();
    end(crew, 1);
    return NULL;
}

static uint32_t count_done(struct crew *crew) {
    uint32_t done = 0;
    for (uint32_t i = 0; i < crew->threads; i++) {
        hold(&crew->hands[i].lock);
        done += crew->hands[i].done;
        let_go(&crew->hands[i].lock);
    }
    return done;
}

static uint32_t read_done(void *context) {
    return count_done(context);
}

static void interrupt(void *context) {
    struct crew *crew = context;
    crew->interrupted = true;
    stop(crew);
}

static void tell(void *context) {
    struct crew *crew = context;
    lido_ring_stats stats = {.struct_size = sizeof stats};
    (void)lido_ring_read_stats(crew->ring, &stats);
    fprintf(stderr, "\n%s: %u of %u done after %.1f s, %u not begun by anybody\n", crew->name,
            count_done(crew), crew->count, (double)(lido_now_ns() - crew->begin_ns) / 1e9,
            (uint32_t)stats.length);
    if (crew->tell != NULL)
        crew->tell(crew->context);
}

void *crew_at_hand(struct crew *crew, uint64_t thread_id) {
    void *item = NULL;
    for (uint32_t i = 0; i < crew->threads; i++) {
        hold(&crew->hands[i].lock);
        item = crew->hands[i].thread_id == thread_id ? crew->hands[i].item : item;
        let_go(&crew->hands[i].lock);
    }
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
    crew->lock = (lido_mutex)LIDO_MUTEX_INIT("crew");
    crew->hands = must_realloc(NULL, crew->threads * sizeof *crew->hands);
    crew->running =
        crew->threads; /* as if all were there: nobody is the last before that is known */
    for (uint32_t i = 0; i < crew->threads; i++)
        crew->hands[i] = (struct crew_hand){.crew = crew, .lock = LIDO_MUTEX_INIT("crew")};
    for (; started < crew->threads && error == 0; started += error == 0)
        error = pthread_create(&threads[started], NULL, run_thread, &crew->hands[started]);
    end(crew, crew->threads - started);
    crew->threads = started;
    return started > 0 ? 0 : error;
}

static void empty(struct crew *crew) {
    stop(crew);
    (void)lido_ring_destroy(crew->ring);
}

const char *crew_run(struct crew *crew) {
    if (!fill(crew))
        return lido_last_error();
    uint32_t asked = crew->threads;
    crew->begin_ns = lido_now_ns();
    crew->watch = (struct watch){.name = crew->name,
                                 .silent = crew->silent,
                                 .read_done = read_done,
                                 .interrupt = interrupt,
                                 .tell = tell,
                                 .context = crew,
                                 .total = crew->count};
    if (!watch_begin(&crew->watch)) {
        const char *why = strerror(errno);
        empty(crew);
        return why;
    }
    pthread_t *threads = must_realloc(NULL, asked * sizeof *threads);
    int error = start(crew, threads);
    if (error == 0)
        watch_run(&crew->watch);
    for (uint32_t i = 0; i < crew->threads; i++)
        pthread_join(threads[i], NULL);
    watch_close(&crew->watch);
    crew->done = count_done(crew);
    empty(crew);
    (void)lido_mutex_destroy(&crew->lock);
    for (uint32_t i = 0; i < asked; i++)
        (void)lido_mutex_destroy(&crew->hands[i].lock);
    free(crew->hands);
    free(threads);
    return error == 0 ? NULL : strerror(error);
}
