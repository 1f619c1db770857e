/* SPDX-License-Identifier: MIT
 * groups.h -- takes the facts of every file, and makes the groups that are findings. */
#ifndef INSPECT_GROUPS_H
#define INSPECT_GROUPS_H

#include "detector.h"

#include <pthread.h>

enum locality { LOCALITY_FUNCTION, LOCALITY_MODULE, LOCALITY_PACKAGE, LOCALITY_PROJECT };

/* A fact with its file, and the group it is in. */
struct place {
    uint32_t key, scope, scope_function;
    uint32_t file, start, line, function;
    uint8_t sort, role;
};

struct finding {
    uint32_t first, degree; /* its places */
    uint32_t key;           /* string */
    uint32_t rule;          /* string: "rule.environment"; NO_STRING for the eight kinds */
    uint8_t kind, strength, locality;
    bool heuristic;
};

struct file_result {
    struct fact *facts;
    uint32_t *function_names;
    uint32_t fact_count, function_count;
    char *reason;           /* NULL: it was analysed */
    uint64_t bytes, weight; /* weight: strengths of its places added up */
    uint32_t places;        /* in findings */
    bool done;
};

struct groups {
    const struct corpus *corpus;
    pthread_mutex_t lock; /* over strings, map and files while workers run */
    struct strings strings;
    ARRAY(uint32_t) map;
    struct file_result *files; /* one for each of the corpus */

    ARRAY(struct place) places;
    ARRAY(struct finding) findings; /* by kind, key, first place */
};

void groups_start(struct groups *groups, const struct corpus *corpus);
/* Copies a file's results out of the detector; from any thread. */
void groups_take(struct groups *groups, const struct detector *d, uint32_t file);
/* Makes the findings; all workers have ended. */
void groups_finish(struct groups *groups);
void groups_end(struct groups *groups);

/* Returns  the name of a finding's kind: "name" ... "value" or "rule.<stem>". */
const char *finding_kind_name(const struct groups *groups, const struct finding *finding);
/* Returns  the name of the function a place is in, NULL: in none. */
const char *place_function(const struct groups *groups, const struct place *place);

extern const char *const role_names[ROLE_COUNT];
extern const char *const locality_names[];

#endif
