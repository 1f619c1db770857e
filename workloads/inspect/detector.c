/* SPDX-License-Identifier: MIT
 * detector.c -- the life of a detector, and of one file in it. */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

const TSLanguage *tree_sitter_python(void);

enum { KEPT_SOURCE_BYTES = 1 << 20 }; /* a larger buffer is not kept warm */

bool detector_prepare(const char **message) {
    static char text[192];
    uint32_t version = ts_language_version(tree_sitter_python());
    bool fits = version >= TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION &&
                version <= TREE_SITTER_LANGUAGE_VERSION;
    snprintf(
        text, sizeof text,
        "the Python grammar has version %u, this tree-sitter takes %d to %d; run npm ci to get the "
        "grammar that package-lock.json names, and build again",
        version, TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION, TREE_SITTER_LANGUAGE_VERSION);
    *message = text;
    if (fits)
        visit_prepare(tree_sitter_python());
    return fits;
}

struct detector *detector_create(const struct corpus *corpus, struct ruleset *rules,
                                 uint32_t kinds) {
    struct detector *d = must_realloc(NULL, sizeof *d);
    *d = (struct detector){.corpus = corpus,
                           .rules = rules,
                           .kinds = kinds,
                           .parser = ts_parser_new(),
                           .matches = ts_query_cursor_new(),
                           .owns_query = rules->shared == NULL};
    if (rules->rules.count > 0)
        d->query = d->owns_query ? rules_compile(rules) : rules->shared;
    if ((d->query != NULL || rules->rules.count == 0) &&
        ts_parser_set_language(d->parser, tree_sitter_python()))
        return d;
    detector_destroy(d);
    return NULL;
}

void detector_destroy(struct detector *d) {
    if (d->owns_query)
        query_free(d->query);
    ts_query_cursor_delete(d->matches);
    ts_parser_delete(d->parser);
    if (d->has_cursors) {
        ts_tree_cursor_delete(&d->walk);
        ts_tree_cursor_delete(&d->look);
    }
    strings_end(&d->strings);
    void *const buffers[] = {d->source.items,  d->text.items,      d->frames.items,
                             d->nodes.items,   d->arguments.items, d->tokens.items,
                             d->targets.items, d->functions.items, d->facts.items};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    free(d);
}

void detector_reset(struct detector *d) {
    strings_clear(&d->strings);
    d->frames.count = d->nodes.count = d->tokens.count = d->functions.count = d->facts.count = 0;
    d->bad_line = 0;
    d->reason[0] = '\0';
    if (d->source.capacity > KEPT_SOURCE_BYTES) {
        free(d->source.items);
        d->source = (struct text){NULL, 0, 0};
    }
}

/* The line of the first error, the innermost one: around it there may be one as large as the file. */
static uint32_t error_line(TSNode node) {
    for (TSNode found = node;;) {
        uint32_t i = 0, count = ts_node_child_count(node);
        if (strcmp(ts_node_type(node), "ERROR") == 0 || ts_node_is_missing(node))
            found = node;
        while (i < count && !ts_node_has_error(ts_node_child(node, i)))
            i++;
        if (i == count)
            return ts_node_start_point(found).row + 1;
        node = ts_node_child(node, i);
    }
}

static void analyse(struct detector *d, TSNode root) {
    if (ts_node_has_error(root)) {
        d->bad_line = error_line(root);
        return;
    }
    visit_tree(d, root);
    rules_run(d->rules, d, root);
}

void detector_run(struct detector *d, uint32_t file) {
    d->file = &d->corpus->files.items[file];
    if (source_read(d)) {
        /* Without a time limit and a cancellation flag the parser always ends with a tree. */
        TSTree *tree = ts_parser_parse_string(d->parser, NULL, d->source.items, d->source.count);
        analyse(d, ts_tree_root_node(tree));
        ts_tree_delete(tree);
    }
    if (d->bad_line != 0)
        snprintf(d->reason, sizeof d->reason, "syntax error at line %u", d->bad_line);
    if (d->reason[0] != '\0')
        d->facts.count = 0;
}
