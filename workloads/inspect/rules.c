/* SPDX-License-Identifier: MIT
 * rules.c -- what users add: queries in *.scm files. docs/inspect.md, *Rules of your own*. */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

const TSLanguage *tree_sitter_python(void);

enum { QUERY_LIMIT_BYTES = 1 << 20 };

/* Adds a file to the joint text. */
static bool read_rule(struct ruleset *rules, const struct found_files *files, const char *path,
                      const char *shown) {
    const char *slash = strrchr(path, '/'), *stem = slash != NULL ? slash + 1 : path;
    size_t length = strlen(stem);
    struct text text = {NULL, 0, 0}, name = {NULL, 0, 0};
    const char *reason = files_read(files, path, QUERY_LIMIT_BYTES, &text);
    if (reason != NULL) {
        snprintf(rules->error, sizeof rules->error, "%s: %s", shown, reason);
        free(text.items);
        return false;
    }
    length -= length > 4 && strcmp(stem + length - 4, ".scm") == 0 ? 4 : 0;
    text_print(&name, "rule.%.*s", (int)length, stem);
    *array_push(&name) = '\0';
    *array_push(&rules->rules) =
        (struct rule){name.items, must_copy(shown, strlen(shown)), rules->text.count};
    text_add(&rules->text, text.items, text.count);
    text_add(&rules->text, "\n", 1);
    free(text.items);
    return true;
}

bool rules_read(struct ruleset *rules, const char *path) {
    struct found_files files, here = {.root = AT_FDCWD};
    bool good = true;
    if (!files_find(&files, path, ".scm", NULL)) {
        if (errno == ENOTDIR)
            return read_rule(rules, &here, path, path);
        snprintf(rules->error, sizeof rules->error, "%s: %s", path, strerror(errno));
        return false;
    }
    for (uint32_t i = 0; i < files.items.count && good; i++) {
        struct text shown = {NULL, 0, 0};
        text_print(&shown, "%s/%s", path, files.items.items[i].path);
        *array_push(&shown) = '\0';
        good = read_rule(rules, &files, files.items.items[i].path, shown.items);
        free(shown.items);
    }
    if (files.items.count == 0)
        snprintf(rules->error, sizeof rules->error, "%s: has no *.scm files", path);
    good = good && files.items.count > 0;
    files_end(&files);
    return good;
}

void rules_end(struct ruleset *rules) {
    for (uint32_t i = 0; i < rules->rules.count; i++) {
        free(rules->rules.items[i].name);
        free(rules->rules.items[i].path);
    }
    free(rules->rules.items);
    free(rules->text.items);
    query_free(rules->shared);
}

/* The rule that a byte of the joint text is in. */
static uint32_t rule_at(const struct ruleset *rules, uint32_t byte) {
    uint32_t number = 0;
    while (number + 1 < rules->rules.count && rules->rules.items[number + 1].start <= byte)
        number++;
    return number;
}

/* Notes what is wrong at a byte of the joint text. */
static void complain(struct ruleset *rules, uint32_t at, const struct text *what) {
    const struct rule *rule = &rules->rules.items[rule_at(rules, at)];
    uint32_t line = 1;
    for (uint32_t i = rule->start; i < at; i++)
        line += rules->text.items[i] == '\n';
    pthread_mutex_lock(&rules->lock);
    snprintf(rules->error, sizeof rules->error, "%s:%u: %.*s", rule->path, line, (int)what->count,
             what->items);
    pthread_mutex_unlock(&rules->lock);
}

/* Says what is wrong, when the joint query (NULL: it did not compile) is. A file with a bracket too few
 * may be noticed only in the next one, so each is tried alone. Returns  whether all is well. */
static bool check_each(struct ruleset *rules, const struct query *all) {
    struct text message = {NULL, 0, 0};
    for (uint32_t i = 0; i < rules->rules.count && message.count == 0; i++) {
        uint32_t start = rules->rules.items[i].start, at = 0;
        bool last = i + 1 == rules->rules.count;
        uint32_t end = last ? rules->text.count : rules->rules.items[i + 1].start;
        if (all == NULL)
            query_free(query_compile(tree_sitter_python(), rules->text.items + start, end - start,
                                     "key", &at, &message));
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
    struct query *all = query_compile(tree_sitter_python(), rules->text.items, rules->text.count,
                                      "key", &at, &message);
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
    if (rules->rules.count == 0)
        return;
    query_start(d->query, d->matches, root);
    while (query_next(d->query, d->matches, d->source.items, &match)) {
        const TSNode *key = query_capture(d->query, &match, "key");
        const TSNode *place = query_capture(d->query, &match, "place");
        if (key == NULL)
            continue;
        struct fact *fact =
            note(d, SORT_RULE, ROLE_place, put_node(d, *key), place != NULL ? *place : *key);
        fact->scope = rule_at(rules, query_pattern_start(d->query, &match));
        fact->function = function_at(d, fact->start);
    }
    if (ts_query_cursor_did_exceed_match_limit(d->matches)) {
        pthread_mutex_lock(&rules->lock);
        rules->match_limit_hits++;
        pthread_mutex_unlock(&rules->lock);
    }
}
