/* SPDX-License-Identifier: MIT
 * rules.h -- what users add: tree-sitter queries in *.scm files, with their predicates evaluated.
 *
 * A rule file is one query. Its captures @key and @place make facts: places that share the text of
 * @key belong together. Known predicates: #eq? #not-eq? #match? #not-match? #any-of?. */
#ifndef INSPECT_RULES_H
#define INSPECT_RULES_H

#include "text.h"

#include <pthread.h>
#include <tree_sitter/api.h>

struct rule {
    char *name; /* "rule.environment": the stem of the file, the kind of its findings */
    char *path;
    uint32_t start, end; /* in the joint text */
};

struct ruleset {
    ARRAY(struct rule) rules;
    ARRAY(char) text;              /* all files, one after another: one query walks a tree once */
    struct compiled_rules *shared; /* one for all detectors, instead of one each; for comparison */
    pthread_mutex_t lock;
    char error[512];           /* why the last compilation failed; under the lock */
    uint64_t match_limit_hits; /* files in which the query gave up; under the lock */
};

struct detector;
struct compiled_rules;

/* Reads a file or all *.scm of a folder; false: rules->error says why. */
bool rules_read(struct ruleset *rules, const char *path);
void rules_end(struct ruleset *rules);

/* Compiles all rules, queries and regular expressions; NULL: rules->error says why. */
struct compiled_rules *rules_compile(struct ruleset *rules);
void rules_free(struct compiled_rules *compiled);

/* Runs the rules over a tree and adds their facts. */
void rules_run(const struct compiled_rules *compiled, TSQueryCursor *cursor, struct detector *d,
               TSNode root);

#endif
