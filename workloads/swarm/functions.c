/* SPDX-License-Identifier: MIT
 * The test functions and their shifted and rotated versions. Sums run from the first coordinate to
 * the last, one operation after the other: tests repeat them in Python and compare every bit. */
#include "swarm/functions.h"

#include "swarm/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double pi = 3.14159265358979323846;
static const double e = 2.71828182845904523536;

static double sphere(const double *x, size_t dimensions) {
    double sum = 0;
    for (size_t d = 0; d < dimensions; d++)
        sum += x[d] * x[d];
    return sum;
}

static double rastrigin(const double *x, size_t dimensions) {
    double sum = 0;
    for (size_t d = 0; d < dimensions; d++)
        sum += x[d] * x[d] - 10 * cos(2 * pi * x[d]) + 10;
    return sum;
}

static double rosenbrock(const double *x, size_t dimensions) {
    double sum = 0;
    for (size_t d = 0; d + 1 < dimensions; d++) {
        double bend = x[d + 1] - x[d] * x[d];
        double off = 1 - x[d];
        sum += 100 * (bend * bend) + off * off;
    }
    return sum;
}

static double ackley(const double *x, size_t dimensions) {
    double squares = 0, waves = 0;
    for (size_t d = 0; d < dimensions; d++) {
        squares += x[d] * x[d];
        waves += cos(2 * pi * x[d]);
    }
    double n = (double)dimensions;
    return 20 - 20 * exp(-0.2 * sqrt(squares / n)) + (e - exp(waves / n));
}

static const struct swarm_function functions[] = {
    {"sphere", 100, 0, sphere},
    {"rastrigin", 5.12, 0, rastrigin},
    {"rosenbrock", 30, 1, rosenbrock},
    {"ackley", 32, 0, ackley},
};

const struct swarm_function *swarm_function_at(size_t number) {
    return number < sizeof functions / sizeof functions[0] ? &functions[number] : NULL;
}

const struct swarm_function *swarm_function_find(const char *name, bool *shifted_rotated) {
    static const char prefix[] = "shifted-rotated-";
    *shifted_rotated = strncmp(name, prefix, sizeof prefix - 1) == 0;
    if (*shifted_rotated)
        name += sizeof prefix - 1;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

/* Nearly normal from additions alone, so that no libm decides about the rotation. */
static double bell(struct random *r) {
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += random_unit(r);
    return sum;
}

/* Makes rows[count] orthogonal to the rows before it, of length 1 (Gram-Schmidt, the stable order).
 * A draw that lies almost in their span would lose all digits: it is drawn again. */
static void add_row(double *rows, size_t count, size_t n, struct random *r) {
    double *row = rows + count * n;
    double length;
    do {
        for (size_t d = 0; d < n; d++)
            row[d] = bell(r);
        for (size_t k = 0; k < count; k++) {
            const double *other = rows + k * n;
            double along = 0;
            for (size_t d = 0; d < n; d++)
                along += row[d] * other[d];
            for (size_t d = 0; d < n; d++)
                row[d] -= along * other[d];
        }
        length = sqrt(sphere(row, n));
    } while (length < 1e-3);
    for (size_t d = 0; d < n; d++)
        row[d] /= length;
}

bool swarm_problem_open(struct swarm_problem *problem, const struct swarm_function *function,
                        bool shifted_rotated, size_t dimensions, uint64_t seed) {
    *problem = (struct swarm_problem){.function = function, .dimensions = dimensions};
    if (!shifted_rotated)
        return true;
    /* The stream of the function is apart from those of the particles: their number may change and
     * the function stays. */
    uint64_t state = ~seed;
    struct random r = random_start(&state);
    size_t n = dimensions;
    problem->shift = calloc(n * (n + 2), sizeof(double));
    if (problem->shift == NULL)
        return false;
    problem->moved = problem->shift + n;
    problem->rotation = problem->moved + n;
    for (size_t d = 0; d < n; d++)
        problem->shift[d] = 0.8 * function->bound * (2 * random_unit(&r) - 1);
    for (size_t row = 0; row < n; row++)
        add_row(problem->rotation, row, n, &r);
    return true;
}

void swarm_problem_close(struct swarm_problem *problem) {
    free(problem->shift);
    problem->shift = NULL;
}

double swarm_problem_value(const struct swarm_problem *problem, const double *x) {
    size_t n = problem->dimensions;
    if (problem->shift == NULL)
        return problem->function->value(x, n);
    for (size_t row = 0; row < n; row++) {
        const double *turn = problem->rotation + row * n;
        double sum = 0;
        for (size_t d = 0; d < n; d++)
            sum += turn[d] * (x[d] - problem->shift[d]);
        problem->moved[row] = sum + problem->function->optimum;
    }
    return problem->function->value(problem->moved, n);
}
