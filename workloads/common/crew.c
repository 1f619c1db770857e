/* SPDX-License-Identifier: MIT
 * crew.c -- see crew.h. A thread that is asked to stop finishes its item. */
#include "crew.h"

#include "text.h"

#include <stdlib.h>

static bool take(struct crew *crew, uint32_t *item) {
    pthread_mutex_lock(&crew->lock);
    bool more = !crew->stop && crew->next < crew->count;
    if (more)
        *item = crew->next++;
    pthread_mutex_unlock(&crew->lock);
    return more;
}

static void *run_thread(void *context) {
    struct crew *crew = context;
    for (uint32_t item; take(crew, &item);) {
        bool good = crew->work(crew->context, item);
        pthread_mutex_lock(&crew->lock);
        crew->done += good;
        crew->stop |= !good;
        pthread_mutex_unlock(&crew->lock);
    }
    crew->end_thread();
    pthread_mutex_lock(&crew->lock);
    bool last = --crew->running == 0;
    pthread_mutex_unlock(&crew->lock);
    if (last)
        watch_end(&crew->watch);
    return NULL;
}

static uint32_t read_done(void *context) {
    struct crew *crew = context;
    pthread_mutex_lock(&crew->lock);
    uint32_t done = crew->done;
    pthread_mutex_unlock(&crew->lock);
    return done;
}

static void interrupt(void *context) {
    struct crew *crew = context;
    pthread_mutex_lock(&crew->lock);
    crew->stop = crew->interrupted = true;
    pthread_mutex_unlock(&crew->lock);
}

int crew_run(struct crew *crew) {
    pthread_t *threads = must_realloc(NULL, crew->threads * sizeof *threads);
    uint32_t started = 0;
    int error = 0;
    pthread_mutex_init(&crew->lock, NULL);
    crew->watch = (struct watch){.name = crew->name,
                                 .silent = crew->silent,
                                 .read_done = read_done,
                                 .interrupt = interrupt,
                                 .context = crew,
                                 .total = crew->count};
    watch_begin(&crew->watch);
    pthread_mutex_lock(&crew->lock); /* nobody may be the last before all are counted */
    for (; started < crew->threads && error == 0; started += error == 0)
        error = pthread_create(&threads[started], NULL, run_thread, crew);
    crew->running = crew->threads = started;
    pthread_mutex_unlock(&crew->lock);
    if (started > 0)
        watch_run(&crew->watch);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    watch_close(&crew->watch);
    pthread_mutex_destroy(&crew->lock);
    free(threads);
    return started > 0 ? 0 : error;
}
