/* SPDX-License-Identifier: MIT
 * worker.c -- the threads that analyse files.
 *
 * A worker takes the next file (largest first, so that no long one is left for the end), acquires a
 * detector, runs it, hands the results over and releases the detector. Asked to stop, it finishes
 * its file. */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

static int create_detector(void *context, void **object) {
    struct run *run = context;
    *object = detector_create(&run->corpus, &run->rules, run->options.kinds);
    return *object != NULL ? 0 : 1;
}

static int reset_detector(void *context, void *object) {
    (void)context;
    detector_reset(object);
    return 0;
}

static void destroy_detector(void *context, void *object) {
    (void)context;
    detector_destroy(object);
}

/* Ends the run. A bad rule is the user's to mend and is told in its own words; all else is lido's. */
static bool fail(struct run *run) {
    pthread_mutex_lock(&run->rules.lock);
    pthread_mutex_lock(&run->lock);
    if (run->failure[0] == '\0')
        snprintf(run->failure, sizeof run->failure, "%s",
                 run->rules.error[0] != '\0' ? run->rules.error : lido_last_error());
    run->stop = true;
    pthread_mutex_unlock(&run->lock);
    pthread_mutex_unlock(&run->rules.lock);
    return false;
}

bool workers_prepare(struct run *run) {
    const struct options *options = &run->options;
    void *first;
    if (options->share_rules && run->rules.rules.count > 0 &&
        (run->rules.shared = rules_compile(&run->rules)) == NULL)
        return fail(run);
    if (options->no_pool) {
        if (create_detector(run, &first) != 0)
            return fail(run);
        detector_destroy(first);
        return true;
    }
    lido_status status = lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "detectors", .owner = "inspect",
                                 .object_limit = options->detectors, .create = create_detector,
                                 .reset = reset_detector, .destroy = destroy_detector,
                                 .context = run),
        &run->detectors);
    if (status == LIDO_OK)
        status = lido_object_pool_prepare(run->detectors, 1);
    return status == LIDO_OK || fail(run);
}

bool workers_end(struct run *run) {
    run->pool.struct_size = sizeof run->pool;
    if (run->detectors != NULL)
        lido_object_pool_read_stats(run->detectors, &run->pool);
    run->pool.created += run->made_without_pool;
    return lido_object_pool_destroy(run->detectors) == LIDO_OK || fail(run);
}

static bool take_file(struct run *run, uint32_t *file) {
    pthread_mutex_lock(&run->lock);
    bool more = !run->stop && run->next < run->corpus.work_count;
    if (more)
        *file = run->corpus.work[run->next++];
    pthread_mutex_unlock(&run->lock);
    return more;
}

static bool acquire(struct run *run, lido_lease *lease) {
    lido_status status;
    *lease = (lido_lease){NULL, 0, 0};
    if (run->detectors == NULL)
        return create_detector(run, &lease->object) == 0;
    do /* there is always one to come: a detector is out for one file only */
        status = lido_object_pool_acquire(run->detectors, LIDO_SECONDS(10), lease);
    while (status == LIDO_ERR_TIMEOUT);
    return status == LIDO_OK;
}

static void analyse_file(struct run *run, uint32_t file) {
    lido_lease lease;
    uint64_t begin_ns = lido_now_ns();
    if (!acquire(run, &lease)) {
        fail(run);
        return;
    }
    uint64_t acquired_ns = lido_now_ns();
    detector_run(lease.object, file);
    uint64_t run_ns = lido_now_ns();
    groups_take(run, lease.object, file);
    if (run->detectors == NULL)
        detector_destroy(lease.object);
    else if (lido_object_pool_release(run->detectors, &lease) != LIDO_OK)
        fail(run);
    uint64_t released_ns = lido_now_ns();

    pthread_mutex_lock(&run->lock);
    run->done++;
    run->bytes += run->corpus.files.items[file].bytes;
    run->detect_ns += run_ns - acquired_ns;
    run->hand_over_ns += (acquired_ns - begin_ns) + (released_ns - run_ns);
    run->made_without_pool += run->detectors == NULL;
    pthread_mutex_unlock(&run->lock);
}

static void *work(void *context) {
    struct run *run = context;
    uint32_t file;
    while (take_file(run, &file))
        analyse_file(run, file);
    pooled_malloc_thread_end();
    pthread_mutex_lock(&run->lock);
    bool last = --run->running == 0;
    pthread_mutex_unlock(&run->lock);
    if (last)
        watch_end(&run->watch);
    return NULL;
}

static uint32_t read_done(void *context) {
    struct run *run = context;
    pthread_mutex_lock(&run->lock);
    uint32_t done = run->done;
    pthread_mutex_unlock(&run->lock);
    return done;
}

static void interrupt(void *context) {
    struct run *run = context;
    pthread_mutex_lock(&run->lock);
    run->stop = run->interrupted = true;
    pthread_mutex_unlock(&run->lock);
}

bool workers_run(struct run *run) {
    pthread_t *threads = must_realloc(NULL, run->options.threads * sizeof *threads);
    uint32_t started = 0;
    int error = 0;
    run->watch = (struct watch){.name = "inspect",
                                .silent = run->options.no_progress,
                                .read_done = read_done,
                                .interrupt = interrupt,
                                .context = run,
                                .total = run->corpus.work_count};
    watch_begin(&run->watch);
    pthread_mutex_lock(&run->lock); /* nobody may be the last before all are counted */
    for (; started < run->options.threads && error == 0; started += error == 0)
        error = pthread_create(&threads[started], NULL, work, run);
    run->running = started;
    pthread_mutex_unlock(&run->lock);
    if (started > 0)
        watch_run(&run->watch);
    else
        snprintf(run->failure, sizeof run->failure, "no thread can be started: %s",
                 strerror(error));
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    run->options.threads = started;
    free(threads);
    watch_close(&run->watch);
    return run->failure[0] == '\0';
}
