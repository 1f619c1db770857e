/* SPDX-License-Identifier: MIT
 * query.h -- tree-sitter queries with their predicates evaluated, which tree-sitter leaves to us.
 *
 * Known predicates: #eq? #not-eq? #match? #not-match? (POSIX extended) #any-of?. A compiled query
 * holds its regular expressions, in which the C library takes a lock: give each thread its own. */
#ifndef COMMON_QUERY_H
#define COMMON_QUERY_H

#include "text.h"

#include <tree_sitter/api.h>

struct query;

/* Compiles a text in which every pattern captures `required`. NULL: message says what is wrong at the
 * byte *at. */
struct query *query_compile(const TSLanguage *language, const char *text, uint32_t length,
                            const char *required, uint32_t *at, struct text *message);
void query_free(struct query *query);

/* Returns  whether a pattern starts in these bytes of the text. */
bool query_has_pattern(const struct query *query, uint32_t from, uint32_t to);

/* Begins to match below a node. */
void query_start(const struct query *query, TSQueryCursor *cursor, TSNode node);
/* Gives the next match whose predicates hold; source is what the tree was parsed from. */
bool query_next(const struct query *query, TSQueryCursor *cursor, const char *source,
                TSQueryMatch *match);
/* Returns  the byte of the query's text at which the match's pattern starts. */
uint32_t query_pattern_start(const struct query *query, const TSQueryMatch *match);
/* Returns  the first node that a capture of this name got, or NULL. */
const TSNode *query_capture(const struct query *query, const TSQueryMatch *match, const char *name);

#endif
