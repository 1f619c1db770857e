/* SPDX-License-Identifier: MIT
 * rules.c -- what users add: queries in *.scm files. docs/inspect.md, *Rules of your own*. */
#include "parts.h"

#include <stdlib.h>

enum { QUERY_LIMIT_BYTES = 1 << 20 };

bool rules_read(struct ruleset *rules, const char *path) {
    return bundle_read(&rules->files, path, ".scm", "rule.", QUERY_LIMIT_BYTES, &rules->error);
}

void rules_end(struct ruleset *rules) {
    bundle_end(&rules->files);
    free(rules->error.items);
    query_free(rules->shared);
}

/* Notes what is wrong at a byte of the joint text. */
static void complain(struct ruleset *rules, uint32_t at, const struct text *what) {
    const char *path = rules->files.parts.items[bundle_part_at(&rules->files, at)].path;
    hold(&rules->lock);
    rules->error.count = 0;
    text_print(&rules->error, "%s:%u: %.*s", path, bundle_line_at(&rules->files, at),
               (int)what->count, what->items);
    let_go(&rules->lock);
}

/* Says what is wrong, when the joint query (NULL: it did not compile) is. A file with a bracket too few
 * may be noticed only in the next one, so each is tried alone. Returns  whether all is well. */
static bool check_each(struct ruleset *rules, const struct query *all) {
    struct text message = {NULL, 0, 0};
    for (uint32_t i = 0; i < rules->files.parts.count && message.count == 0; i++) {
        uint32_t start = rules->files.parts.items[i].start, at = 0;
        uint32_t end = bundle_part_end(&rules->files, i);
        if (all == NULL)
            query_free(query_compile(tree_sitter_python(), rules->files.text.items + start,
                                     end - start, "key", &at, &message));
        else if (!query_has_pattern(all, start, end))
            text_print(&message, "has no pattern with a capture @key");
        if (message.count > 0)
            complain(rules, start + at < end ? start + at : end - 1, &message);
    }
    bool good = message.count == 0 && all != NULL;
    free(message.items);
    return good;
}

struct query *rules_compile(struct ruleset *rules) {
    struct text message = {NULL, 0, 0};
    uint32_t at;
    struct query *all = query_compile(tree_sitter_python(), rules->files.text.items,
                                      rules->files.text.count, "key", &at, &message);
    free(message.items);
    if (check_each(rules, all))
        return all;
    query_free(all);
    return NULL;
}

/* The innermost function around a byte. Functions stand in the order of their starts. */
static uint32_t function_at(const struct detector *d, uint32_t byte) {
    uint32_t function = d->functions.count;
    while (function > 0 && d->functions.items[function - 1].start > byte)
        function--;
    function = function > 0 ? function - 1 : NONE;
    while (function != NONE && d->functions.items[function].end <= byte)
        function = d->functions.items[function].parent;
    return function;
}

void rules_run(struct ruleset *rules, struct detector *d, TSNode root) {
    TSQueryMatch match;
    if (rules->files.parts.count == 0)
        return;
    query_start(d->query, d->matches, root);
    while (query_next(d->query, d->matches, d->source.items, &match)) {
        const TSNode *key = query_capture(d->query, &match, "key");
        const TSNode *place = query_capture(d->query, &match, "place");
        if (key == NULL)
            continue;
        struct fact *fact =
            note(d, SORT_RULE, ROLE_place, put_node(d, *key), place != NULL ? *place : *key);
        fact->scope = bundle_part_at(&rules->files, query_pattern_start(d->query, &match));
        fact->function = function_at(d, fact->start);
    }
    if (ts_query_cursor_did_exceed_match_limit(d->matches)) {
        hold(&rules->lock);
        rules->match_limit_hits++;
        let_go(&rules->lock);
    }
}
