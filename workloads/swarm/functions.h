/* SPDX-License-Identifier: MIT
 * What the swarm minimises: four classic test functions, and a shifted and rotated version of each.
 *
 * All have the minimum 0. The plain ones have it where everybody knows (0, or 1 for rosenbrock);
 * the shifted-rotated one moves it to a place drawn from the seed and turns the axes by a random
 * orthogonal matrix, so that an optimiser that favours the origin or the axes gains nothing.
 * They are our own: not the functions of any published competition suite. */
#ifndef SWARM_FUNCTIONS_H
#define SWARM_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct swarm_function {
    const char *name;
    double bound;   /* every coordinate lies in [-bound, bound] */
    double optimum; /* every coordinate of the plain function's minimum */
    double (*value)(const double *x, size_t dimensions);
};

/* The functions by number, NULL behind the last. */
const struct swarm_function *swarm_function_at(size_t number);

/* Finds "rastrigin" or "shifted-rotated-rastrigin"; NULL: no such function. */
const struct swarm_function *swarm_function_find(const char *name, bool *shifted_rotated);

/* A function with its number of dimensions and, where asked for, its shift and rotation. */
struct swarm_problem {
    const struct swarm_function *function;
    size_t dimensions;
    double *shift;    /* NULL: the plain function */
    double *rotation; /* dimensions rows of dimensions */
    double *moved;    /* the point as the plain function sees it */
};

/* Returns  false: no memory. */
bool swarm_problem_open(struct swarm_problem *problem, const struct swarm_function *function,
                        bool shifted_rotated, size_t dimensions, uint64_t seed);
void swarm_problem_close(struct swarm_problem *problem);

double swarm_problem_value(const struct swarm_problem *problem, const double *x);

#endif
