/* SPDX-License-Identifier: MIT
 * `lido validate`: the requirements that one machine can check, each a row with its target beside
 * what was measured.
 *
 * A row runs in a process of its own, with a limit of time: it starts with clean memory, and if it
 * crashes or hangs, that is the row's failure and nobody else's. Rows use public headers only, and
 * block pools in the mode `slabs`, whatever the environment says.
 *
 * Every row can fail: `--break ID` spoils the work of that row on purpose, in the way that its entry
 * says, and a test expects exactly that row to fail. */
#ifndef LIDO_VALIDATE_H
#define LIDO_VALIDATE_H

#include <lido/block_figures.h>

#include <stdio.h>

enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_NOT_MEASURED };

extern const char *const verdict_name[3];

struct row {
    bool broken; /* in: spoil the work */
    enum verdict verdict;
    char measured[200];
    char reason[240]; /* why it failed or was not measured */
};

struct entry {
    const char *id;
    const char *requirement; /* of the specification: "A3", "A4 A9" */
    const char *what;
    const char *target;
    const char *spoil; /* what --break does; NULL: the row is not measured */
    bool timed;        /* the verdict depends on how busy the machine is */
    void (*run)(struct row *row);
};

/* All rows, in the order of the report; the last id is NULL. Entries without `run` are made up by
 * the command itself. */
extern const struct entry validate_entries[];

/* The five named checks of requirement A9. */
void validate_basics(struct row *row);
void validate_efficiency(struct row *row);
void validate_fragmentation(struct row *row);
void validate_trigger(struct row *row);
void validate_intensive(struct row *row);

/* Memory: what is held, what grows, what goes back. */
void validate_fixed(struct row *row);
void validate_gives_back(struct row *row);
void validate_by_itself(struct row *row);
void validate_survivors(struct row *row);
void validate_overhead_large(struct row *row);
void validate_overhead_small(struct row *row);
void validate_stated(struct row *row);
void validate_shared(struct row *row);

/* Promises about calls: time, figures, refusals. */
void validate_constant(struct row *row);
void validate_bulk(struct row *row);
void validate_pause(struct row *row);
void validate_thousand(struct row *row);
void validate_exact(struct row *row);
void validate_twice(struct row *row);
void validate_foreign(struct row *row);
void validate_index(struct row *row);

/* Object pools. */
void validate_sizing(struct row *row);
void validate_budget(struct row *row);
void validate_window(struct row *row);

/* Leases of object pools. */
void validate_parallel(struct row *row);
void validate_leaks(struct row *row);
void validate_return(struct row *row);
void validate_million(struct row *row);

/* What threads share: locks, the ring, nothing. */
void validate_blame(struct row *row);
void validate_waits_kept(struct row *row);
void validate_sessions(struct row *row);
void validate_inspect_locks(struct row *row);
void validate_ring_bounded(struct row *row);
void validate_ring_exact(struct row *row);
void validate_private(struct row *row);
void validate_affinity(struct row *row);
void validate_scaling(struct row *row);

/* Real programs. */
void validate_growth(struct row *row);
void validate_equal(struct row *row);
void validate_matrix(struct row *row);
void validate_particles(struct row *row);
void validate_simulation(struct row *row);

/* Dense pools, and the arena on them. */
void validate_arena_world(struct row *row);
void validate_arena_reuse(struct row *row);
void validate_arena_ticks(struct row *row);
void validate_dense_handles(struct row *row);

/* ---- For the rows ------------------------------------------------------------------------- */

/* Ends a row: what was measured, and whether it meets the target. */
void row_result(struct row *row, bool meets, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends a row that went wrong before there was anything to measure. */
void row_failed(struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));

void row_not_measured(struct row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A pool in the mode `slabs`; NULL: the row has failed. */
#define row_pool(row, ...)                                                                         \
    row_make_pool(row, LIDO_BLOCK_POOL_OPTIONS(.name = "validate", .owner = "lido validate",       \
                                               .mode = LIDO_BLOCK_POOL_SLABS, __VA_ARGS__))
lido_block_pool *row_make_pool(struct row *row, const lido_block_pool_options *options);

lido_block_pool_stats row_stats(const lido_block_pool *pool);

/* count pointers, all NULL; ends the process when there is no memory. */
void **row_pointers(uint64_t count);

/* Acquires count blocks; false: the row has failed. */
bool row_fill(struct row *row, lido_block_pool *pool, uint64_t count, void **blocks);

void row_shuffle(void **blocks, uint64_t count, uint64_t seed);
void row_doze(uint64_t ns);

/* Releases whatever is out, found by walking the pool, and destroys it. */
void row_end_pool(lido_block_pool *pool);

/* ---- For the command ----------------------------------------------------------------------- */

struct machine {
    char system[200]; /* kernel and its release */
    long cores, page_bytes;
    const char *sanitizer; /* NULL: none */
};

struct report {
    const struct entry **entries; /* those that were asked for */
    struct row *rows;
    size_t count;
    struct machine machine;
    char started[32]; /* UTC, ISO 8601 */
    double wall_s;
};

/* Runs one row in a process of its own. */
void validate_run(const struct entry *entry, struct row *row);

size_t report_count(const struct report *report, enum verdict verdict);
void report_print_row(const struct entry *entry, const struct row *row, FILE *out);
void report_print_summary(const struct report *report, FILE *out);

/* Both return  false: the file could not be written; errno says why. */
bool report_write_json(const struct report *report, const char *path);
bool report_write_markdown(const struct report *report, const char *path);

#endif
