/* SPDX-License-Identifier: MIT
 * The optimiser. What is allocated once lies in struct swarm; what the variants differ in goes
 * through swarm_buffers. */
#include "swarm/optimise.h"

#include "swarm/measure.h"
#include "swarm/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double inertia = 0.7298;
static const double attraction = 1.49618;

enum { TEMPORARIES = 4 };

struct swarm {
    struct swarm_problem problem;
    struct swarm_buffers buffers;
    size_t count, dimensions; /* particles, and coordinates of each */
    bool fresh;               /* new buffers every iteration: not in place */
    struct random *streams;   /* one a particle */
    double *values;           /* the last value of each particle */
    double *best_values;      /* the best value of each particle */
    uint64_t *sums;           /* the bits of each position, added up */
    double *leader;           /* the best position of all */
    double best;
    uint64_t checksum;

    double **position, **velocity, **own_best; /* particles: one buffer each */
    double *positions, *velocities, *bests;    /* matrix: one buffer for all */
    double *temporary[TEMPORARIES];            /* matrix: of an iteration; in place: of all */
};

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void add_to_checksum(struct swarm *s, uint64_t bits) {
    s->checksum = (s->checksum ^ bits) * UINT64_C(0x9fb21c651e98df25);
    s->checksum ^= s->checksum >> 32;
}

/* Keeps x in the bounds; a wall stops the particle. */
static double stop_at_wall(double x, double bound, double *velocity) {
    if (x >= -bound && x <= bound)
        return x;
    *velocity = 0;
    return x < 0 ? -bound : bound;
}

/* ---- Both shapes ------------------------------------------------------------------------- */

static double *row_of(struct swarm *s, double **rows, double *matrix, size_t i) {
    return rows != NULL ? rows[i] : matrix + i * s->dimensions;
}

/* Values one particle and remembers its best. */
static void value_particle(struct swarm *s, size_t i) {
    double *x = row_of(s, s->position, s->positions, i);
    double value = swarm_problem_value(&s->problem, x);
    s->values[i] = value;
    if (value < s->best_values[i]) {
        s->best_values[i] = value;
        memcpy(row_of(s, s->own_best, s->bests, i), x, s->dimensions * sizeof *x);
    }
    add_to_checksum(s, s->sums[i]);
    add_to_checksum(s, bits_of(value));
}

/* Takes the best of all; returns the mean value of the swarm. */
static double elect_leader(struct swarm *s) {
    size_t first = s->count;
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        sum += s->values[i];
        if (s->best_values[i] < s->best) {
            s->best = s->best_values[i];
            first = i;
        }
    }
    if (first < s->count)
        memcpy(s->leader, row_of(s, s->own_best, s->bests, first),
               s->dimensions * sizeof *s->leader);
    return sum / (double)s->count;
}

/* Places the particles at random, with speeds up to half the width. */
static double scatter(struct swarm *s, uint64_t seed) {
    double bound = s->problem.function->bound;
    for (size_t i = 0; i < s->count; i++) {
        s->streams[i] = random_start(&seed);
        double *x = row_of(s, s->position, s->positions, i);
        double *v = row_of(s, s->velocity, s->velocities, i);
        s->sums[i] = 0;
        for (size_t d = 0; d < s->dimensions; d++) {
            x[d] = bound * (2 * random_unit(&s->streams[i]) - 1);
            v[d] = bound * (random_unit(&s->streams[i]) - 0.5);
            s->sums[i] += bits_of(x[d]);
        }
        s->best_values[i] = INFINITY;
        value_particle(s, i);
    }
    s->best = INFINITY;
    return elect_leader(s);
}

/* ---- Shape: particles -------------------------------------------------------------------- */

/* Moves particle i from one buffer to another, which may be the same. */
static void move_particle(struct swarm *s, size_t i, const double *from, double *to) {
    struct random r = s->streams[i];
    double *velocity = s->velocity[i];
    const double *own = s->own_best[i], *leader = s->leader;
    double bound = s->problem.function->bound;
    uint64_t sum = 0;
    for (size_t d = 0; d < s->dimensions; d++) {
        double x = from[d];
        double pull_own = random_unit(&r) * (own[d] - x);
        double pull_leader = random_unit(&r) * (leader[d] - x);
        double v = inertia * velocity[d] + (attraction * pull_own + attraction * pull_leader);
        double moved = stop_at_wall(x + v, bound, &v);
        velocity[d] = v;
        to[d] = moved;
        sum += bits_of(moved);
    }
    s->streams[i] = r;
    s->sums[i] = sum;
}

static bool step_particles(struct swarm *s) {
    for (size_t i = 0; i < s->count; i++) {
        double *from = s->position[i];
        double *to = s->fresh ? swarm_buffers_take(&s->buffers) : from;
        if (to == NULL)
            return false;
        move_particle(s, i, from, to);
        s->position[i] = to;
        value_particle(s, i);
        if (s->fresh)
            swarm_buffers_give(&s->buffers, from);
    }
    return true;
}

/* ---- Shape: matrix ----------------------------------------------------------------------- */

/* to_own = best - position, to_leader = leader - position, over the whole swarm. */
static void look_around(struct swarm *s, double *to_own, double *to_leader) {
    for (size_t i = 0; i < s->count; i++) {
        size_t start = i * s->dimensions;
        const double *x = s->positions + start, *best = s->bests + start;
        for (size_t d = 0; d < s->dimensions; d++) {
            to_own[start + d] = best[d] - x[d];
            to_leader[start + d] = s->leader[d] - x[d];
        }
    }
}

/* pull = attraction * r1 * to_own + attraction * r2 * to_leader */
static void pull_together(struct swarm *s, const double *to_own, const double *to_leader,
                          double *pull) {
    for (size_t i = 0; i < s->count; i++) {
        struct random r = s->streams[i];
        size_t start = i * s->dimensions, end = start + s->dimensions;
        for (size_t c = start; c < end; c++) {
            double own = random_unit(&r) * to_own[c];
            double leader = random_unit(&r) * to_leader[c];
            pull[c] = attraction * own + attraction * leader;
        }
        s->streams[i] = r;
    }
}

/* speed = inertia * velocity + pull */
static void accelerate(struct swarm *s, const double *pull, double *speed) {
    for (size_t c = 0; c < s->count * s->dimensions; c++)
        speed[c] = inertia * s->velocities[c] + pull[c];
}

/* position = position + speed within the bounds, velocity = speed */
static void advance(struct swarm *s, const double *speed) {
    double bound = s->problem.function->bound;
    for (size_t i = 0; i < s->count; i++) {
        size_t start = i * s->dimensions, end = start + s->dimensions;
        uint64_t sum = 0;
        for (size_t c = start; c < end; c++) {
            double v = speed[c];
            double moved = stop_at_wall(s->positions[c] + v, bound, &v);
            s->velocities[c] = v;
            s->positions[c] = moved;
            sum += bits_of(moved);
        }
        s->sums[i] = sum;
    }
}

static bool take_temporaries(struct swarm *s) {
    bool all = true;
    for (int t = 0; t < TEMPORARIES; t++) {
        s->temporary[t] = swarm_buffers_take(&s->buffers);
        all = all && s->temporary[t] != NULL;
    }
    return all;
}

static void give_temporaries(struct swarm *s) {
    for (int t = 0; t < TEMPORARIES; t++) {
        swarm_buffers_give(&s->buffers, s->temporary[t]);
        s->temporary[t] = NULL;
    }
}

static bool step_matrix(struct swarm *s) {
    if (s->fresh && !take_temporaries(s))
        return false;
    look_around(s, s->temporary[0], s->temporary[1]);
    pull_together(s, s->temporary[0], s->temporary[1], s->temporary[2]);
    accelerate(s, s->temporary[2], s->temporary[3]);
    advance(s, s->temporary[3]);
    if (s->fresh)
        give_temporaries(s);
    for (size_t i = 0; i < s->count; i++)
        value_particle(s, i);
    return true;
}

/* ---- From start to end -------------------------------------------------------------------- */

uint64_t swarm_buffer_bytes(const struct swarm_options *options) {
    return (options->matrix ? options->particles : 1) * options->dimensions * sizeof(double);
}

static bool take_rows(struct swarm *s, double ***rows) {
    *rows = calloc(s->count, sizeof **rows);
    for (size_t i = 0; *rows != NULL && i < s->count; i++) {
        (*rows)[i] = swarm_buffers_take(&s->buffers);
        if ((*rows)[i] == NULL)
            return false;
    }
    return *rows != NULL;
}

static void give_rows(struct swarm *s, double **rows) {
    for (size_t i = 0; rows != NULL && i < s->count; i++)
        swarm_buffers_give(&s->buffers, rows[i]);
    free(rows);
}

/* What is out at once: position, velocity and best, and what an iteration adds before it gives back. */
static uint64_t buffers_at_once(const struct swarm_options *options) {
    return options->matrix ? 3 + TEMPORARIES : 3 * options->particles + 1;
}

static bool open_swarm(struct swarm *s, const struct swarm_options *options,
                       enum swarm_variant variant) {
    *s = (struct swarm){.count = options->particles,
                        .dimensions = options->dimensions,
                        .fresh = variant != SWARM_IN_PLACE};
    if (!swarm_problem_open(&s->problem, options->function, options->shifted_rotated, s->dimensions,
                            options->seed) ||
        !swarm_buffers_open(&s->buffers, variant, swarm_buffer_bytes(options),
                            buffers_at_once(options)))
        return false;
    s->streams = calloc(s->count, sizeof *s->streams);
    s->values = calloc(s->count, sizeof *s->values);
    s->best_values = calloc(s->count, sizeof *s->best_values);
    s->sums = calloc(s->count, sizeof *s->sums);
    s->leader = calloc(s->dimensions, sizeof *s->leader);
    if (s->streams == NULL || s->values == NULL || s->best_values == NULL || s->sums == NULL ||
        s->leader == NULL)
        return false;
    if (!options->matrix)
        return take_rows(s, &s->position) && take_rows(s, &s->velocity) &&
               take_rows(s, &s->own_best);
    s->positions = swarm_buffers_take(&s->buffers);
    s->velocities = swarm_buffers_take(&s->buffers);
    s->bests = swarm_buffers_take(&s->buffers);
    return s->positions != NULL && s->velocities != NULL && s->bests != NULL &&
           (s->fresh || take_temporaries(s));
}

static void close_swarm(struct swarm *s) {
    give_rows(s, s->position);
    give_rows(s, s->velocity);
    give_rows(s, s->own_best);
    swarm_buffers_give(&s->buffers, s->positions);
    swarm_buffers_give(&s->buffers, s->velocities);
    swarm_buffers_give(&s->buffers, s->bests);
    give_temporaries(s);
    swarm_buffers_close(&s->buffers);
    swarm_problem_close(&s->problem);
    free(s->streams);
    free(s->values);
    free(s->best_values);
    free(s->sums);
    free(s->leader);
}

/* All iterations; the figures of memory are read outside the time. */
static bool iterate(struct swarm *s, const struct swarm_options *options,
                    const struct swarm_watcher *watcher, struct swarm_run *run, double *best_of,
                    double *mean_of) {
    struct measure start = measure_now(), warm = start;
    uint64_t warm_calls = 0;
    double paused_s = 0;
    uint64_t often = options->matrix ? 1 : 64;
    for (uint64_t it = 0; it < options->iterations; it++) {
        if (it == SWARM_WARM_ITERATIONS) {
            double before_s = measure_cpu_s();
            warm = measure_now();
            warm_calls = s->buffers.calls;
            paused_s = measure_cpu_s() - before_s;
        }
        if (!(options->matrix ? step_matrix(s) : step_particles(s)))
            return false;
        mean_of[it] = elect_leader(s);
        best_of[it] = s->best;
        if (watcher != NULL && it % often == 0)
            watcher->progress(watcher->context, it, s->best);
    }
    double end_s = measure_cpu_s();
    struct measure end = measure_now();
    run->cpu_s = end_s - start.cpu_s - paused_s;
    run->faults = end.faults - start.faults;
    run->calls = s->buffers.calls;
    if (options->iterations > SWARM_WARM_ITERATIONS) {
        run->faults_late = end.faults - warm.faults;
        run->calls_late = s->buffers.calls - warm_calls;
        run->growth_bytes = (int64_t)end.anonymous_bytes - (int64_t)warm.anonymous_bytes;
    }
    return true;
}

void swarm_optimise(const struct swarm_options *options, enum swarm_variant variant,
                    const struct swarm_watcher *watcher, struct swarm_run *run, double *best_of,
                    double *mean_of) {
    struct swarm s;
    *run = (struct swarm_run){.pool.struct_size = sizeof run->pool};
    run->done = open_swarm(&s, options, variant);
    if (run->done) {
        (void)scatter(&s, options->seed);
        run->done = iterate(&s, options, watcher, run, best_of, mean_of);
    }
    if (!run->done)
        snprintf(run->error, sizeof run->error, "no memory for the %s variant: %s",
                 swarm_variant_name[variant],
                 variant == SWARM_POOL ? lido_last_error() : "the system refused");
    run->best = s.best;
    run->checksum = s.checksum;
    if (s.buffers.pool != NULL)
        (void)lido_block_pool_read_stats(s.buffers.pool, &run->pool);
    close_swarm(&s);
}
