/* SPDX-License-Identifier: MIT
 * A simulation that runs for weeks beside real hardware, with and without a pool.
 *
 * A ring of 50 sections of a heated pipe is computed step by step, each a buffer of 1,000 doubles. A
 * section's next state is written into a fresh buffer and the old one is given back. Every 1,000
 * steps a health check looks at the figures: a leak or a wrong value is found then, not at night.
 *
 *     simulation [--no-pool] [steps]      prints the same checksum either way
 *
 * What the pool brings here: memory is reserved before the first step, a step never waits for the
 * system, and the health check knows how many buffers are out. Time it does not save. */
#include <lido/block_figures.h>
#include <lido/block_pool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { sections = 50, cells = 1000, check_every = 1000 };

struct simulation {
    lido_block_pool *pool; /* NULL: malloc and free */
    double *section[sections];
    uint64_t step;
};

static double *take(struct simulation *s) {
    return s->pool ? lido_block_pool_acquire(s->pool) : malloc(cells * sizeof(double));
}

static bool give(struct simulation *s, double *buffer) {
    if (s->pool)
        return lido_block_pool_release(s->pool, buffer) == LIDO_OK;
    free(buffer);
    return true;
}

/* Heat flows to the neighbours; the first cell is the "hardware", a heater that is switched. */
static void compute(const double *now, const double *before, uint64_t step, double *next) {
    double inflow = before[cells - 1] + (step / 100 % 2 == 0 ? 0.5 : -0.5);
    for (int c = 0; c < cells; c++) {
        double left = c > 0 ? now[c - 1] : inflow;
        double right = c + 1 < cells ? now[c + 1] : now[c];
        next[c] = 0.98 * now[c] + 0.01 * (left + right);
    }
}

static bool advance(struct simulation *s) {
    for (int i = 0; i < sections; i++) {
        double *next = take(s);
        if (next == NULL)
            return false;
        compute(s->section[i], s->section[(i + sections - 1) % sections], s->step, next);
        if (!give(s, s->section[i]))
            return false;
        s->section[i] = next;
    }
    s->step++;
    return true;
}

static uint64_t checksum(const struct simulation *s) {
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < sections; i++)
        for (int c = 0; c < cells; c++) {
            uint64_t bits;
            memcpy(&bits, &s->section[i][c], sizeof bits);
            sum = (sum ^ bits) * UINT64_C(0x100000001b3);
        }
    return sum;
}

/* Healthy: exactly the sections are out, no more than one buffer was needed beyond them, nothing was
 * refused, and no value ran away. */
static bool check_health(const struct simulation *s) {
    lido_block_pool_stats f = {.struct_size = sizeof f};
    bool healthy = true;
    for (int i = 0; i < sections; i++)
        healthy = healthy && s->section[i][0] > -1e3 && s->section[i][0] < 1e3;
    printf("step %6" PRIu64 "  checksum %016" PRIx64, s->step, checksum(s));
    if (s->pool && lido_block_pool_read_stats(s->pool, &f) == LIDO_OK) {
        healthy = healthy && f.live == sections && f.live_peak == sections + 1 &&
                  f.refused_limit + f.refused_memory + f.refused_release == 0;
        printf("  %" PRIu64 " buffers out, %" PRIu64 " existing, re-use %.4f", f.live, f.existing,
               f.reuse);
    }
    puts(healthy ? "  healthy" : "  NOT HEALTHY");
    return healthy;
}

int main(int argc, char **argv) {
    struct simulation s = {0};
    bool wants_pool = !(argc > 1 && strcmp(argv[1], "--no-pool") == 0);
    const char *steps_text = argv[wants_pool ? 1 : 2]; /* NULL behind the last argument */
    uint64_t steps = steps_text ? strtoull(steps_text, NULL, 10) : 10000;
    if (wants_pool &&
        lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = "sections", .owner = "simulation",
                                                       .block_size = cells * sizeof(double),
                                                       .block_limit = sections + 1,
                                                       .flags = LIDO_BLOCK_POOL_RESERVED),
                               &s.pool) != LIDO_OK)
        return fprintf(stderr, "simulation: %s\n", lido_last_error()), 1;
    bool going = true;
    for (int i = 0; i < sections && going; i++)
        if ((going = (s.section[i] = take(&s)) != NULL))
            memset(s.section[i], 0, cells * sizeof(double));
    while (going && s.step < steps)
        going = advance(&s) && (s.step % check_every != 0 || check_health(&s));
    if (!going)
        fprintf(stderr, "simulation: stopped at step %" PRIu64 ": %s\n", s.step, lido_last_error());
    for (int i = 0; i < sections; i++)
        going = (s.section[i] == NULL || give(&s, s.section[i])) && going;
    return lido_block_pool_destroy(s.pool) == LIDO_OK && going ? 0 : 1;
}
