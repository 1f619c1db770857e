/* SPDX-License-Identifier: MIT
 * run.h -- one run of inspect: what was asked for, and what it came to. */
#ifndef INSPECT_RUN_H
#define INSPECT_RUN_H

#include "alloc.h"
#include "groups.h"
#include "rules.h"

#include <lido/object_pool.h>

struct options {
    const char *dir, *db, *json, *rules; /* NULL: not asked for */
    uint32_t threads, detectors;
    uint32_t kinds; /* bit mask of enum kind */
    bool no_pool, no_progress;
    /* For measuring. */
    const char *measure; /* what to print */
    uint32_t sample;     /* analyse this many files only, evenly chosen; 0: all */
    bool share_rules, plain_malloc, serial;
};

/* What the workers share; everything below `lock` is under it. */
struct run {
    const struct options *options;
    struct corpus corpus;
    struct ruleset rules;
    struct groups groups;
    lido_object_pool *detectors; /* NULL with no_pool */
    int wake;                    /* an eventfd that the last worker writes */

    pthread_mutex_t lock;
    uint32_t next; /* in corpus.largest_first */
    uint32_t done, running;
    uint64_t bytes;
    uint64_t detect_ns, hand_over_ns, made_without_pool;
    bool stop;         /* begin no more files */
    char failure[512]; /* why no more files can be done; "": all is well */

    /* Filled in at the end. */
    bool interrupted;
    uint32_t failed;
    double wall_s, cpu_s;
    uint64_t peak_rss_bytes;
    lido_object_pool_stats detector_stats;
    struct alloc_counts allocations;
};

/* ---- worker.c ------------------------------------------------------------------------------- */

/* Returns  how many threads this process may use at once: affinity, then the cgroup's quota. */
uint32_t count_processors(void);

/* Makes the pool of detectors with one in it, so that a bad rule is found here.
 * false: run->failure says why. */
bool workers_prepare(struct run *run);
/* Analyses the corpus with options->threads threads; returns when it is done or interrupted.
 * false: run->failure says why. */
bool workers_run(struct run *run);
/* Ends the pool; false: run->failure. */
bool workers_end(struct run *run);

/* ---- measure.c ------------------------------------------------------------------------------ */

/* false, after a message: there is no such measure. */
bool measure_is_known(const char *name);
/* Times how long it takes until options->detectors detectors exist; in place of workers_run. */
bool measure_getting_ready(struct run *run);
void measure_print(const struct run *run);

/* ---- store.c -------------------------------------------------------------------------------- */

struct store;

/* Opens the database and locks it for writing. NULL: message says why; free it. */
struct store *store_open(const char *path, char **message);
/* Writes files and findings in one transaction and closes. false: message says why; free it. */
bool store_write(struct store *store, const struct run *run, char **message);
/* Closes without having written. */
void store_abandon(struct store *store);

/* ---- report.c ------------------------------------------------------------------------------- */

#include <stdio.h>

void report_progress(const struct run *run, uint32_t done, double seconds, bool on_terminal);
void report_summary(const struct run *run, FILE *out);
/* false: the file could not be written; errno says why. */
bool report_json(const struct run *run, const char *path);

#endif
