/* SPDX-License-Identifier: MIT
 * detector.c -- the life of a detector, and of one file in it. */
#include "parts.h"

#include "common/python_source.h"
#include "common/python_tree.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_LIMIT_BYTES = 64 << 20, KEPT_SOURCE_BYTES = 1 << 20 /* more is not kept warm */ };

bool detector_prepare(void) {
    uint32_t version = ts_language_version(tree_sitter_python());
    bool fits = version >= TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION &&
                version <= TREE_SITTER_LANGUAGE_VERSION;
    if (fits)
        visit_prepare(tree_sitter_python());
    else
        fprintf(stderr,
                "lido run inspect: the Python grammar has version %u, this tree-sitter takes "
                "%d to %d; run npm ci for the grammar of package-lock.json, and build again\n",
                version, TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION, TREE_SITTER_LANGUAGE_VERSION);
    return fits;
}

int detector_create(void *context, void **object) {
    struct run *run = context;
    bool no_rules = run->rules.files.parts.count == 0;
    struct detector *d = must_realloc(NULL, sizeof *d);
    *d = (struct detector){.corpus = &run->corpus,
                           .rules = &run->rules,
                           .kinds = run->options.kinds,
                           .parser = ts_parser_new(),
                           .matches = ts_query_cursor_new(),
                           .query = run->rules.shared,
                           .owns_query = run->rules.shared == NULL && !no_rules};
    if (d->owns_query)
        d->query = rules_compile(&run->rules);
    *object = d;
    if ((d->query != NULL || no_rules) && ts_parser_set_language(d->parser, tree_sitter_python()))
        return 0;
    detector_destroy(NULL, d);
    return 1;
}

void detector_destroy(void *context, void *object) {
    struct detector *d = object;
    (void)context;
    if (d->owns_query)
        query_free(d->query);
    ts_query_cursor_delete(d->matches);
    ts_parser_delete(d->parser);
    if (d->has_cursors) {
        ts_tree_cursor_delete(&d->walk);
        ts_tree_cursor_delete(&d->look);
    }
    strings_end(&d->strings);
    void *const buffers[] = {d->reason.items, d->source.items,  d->text.items,
                             d->frames.items, d->nodes.items,   d->arguments.items,
                             d->tokens.items, d->targets.items, d->functions.items,
                             d->facts.items,  d->map.items};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    free(d);
}

int detector_reset(void *context, void *object) {
    struct detector *d = object;
    (void)context;
    strings_clear(&d->strings);
    d->frames.count = d->nodes.count = d->tokens.count = d->functions.count = d->facts.count = 0;
    d->reason.count = d->bad_line = 0;
    d->bytes = 0;
    if (d->source.capacity > KEPT_SOURCE_BYTES) {
        free(d->source.items);
        d->source = (struct text){NULL, 0, 0};
    }
    return 0;
}

void detector_run(struct detector *d, uint32_t file) {
    const struct source_file *source = &d->corpus->files.items[file];
    const char *reason = source->reason;
    d->file = source;
    if (reason == NULL)
        reason = files_read(&d->corpus->found, source->path, SOURCE_LIMIT_BYTES, &d->source);
    if (reason != NULL)
        text_print(&d->reason, "%s", reason);
    else
        d->bytes = d->source.count;
    if (reason == NULL && python_source_check(&d->source, &d->reason)) {
        TSTree *tree = python_tree_parse(d->parser, &d->source, &d->reason);
        if (tree != NULL) {
            TSNode root = ts_tree_root_node(tree);
            visit_tree(d, root);
            rules_run(d->rules, d, root);
            ts_tree_delete(tree);
        }
    }
    if (d->bad_line != 0)
        text_print(&d->reason, "syntax error at line %u", d->bad_line);
    if (d->reason.count > 0)
        d->facts.count = 0;
}
