/* SPDX-License-Identifier: MIT
 * rules.c -- what users add: tree-sitter queries in *.scm files, with their predicates evaluated
 * (tree-sitter only parses them). docs/inspect.md, *Rules of your own*, is for users. */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

const TSLanguage *tree_sitter_python(void);

enum { QUERY_LIMIT_BYTES = 1 << 20 };
#define NO_CAPTURE UINT32_MAX

struct operand {
    const char *text; /* NULL: a capture */
    uint32_t    length, capture;
};

enum test { EQUAL, MATCH, ANY_OF };

struct predicate {
    enum test test;
    bool      negated;
    uint32_t  capture, first_operand, operand_count;
    regex_t   regex;
};

/* A pattern of the query: the rule it came from, and where its predicates end. */
struct pattern {
    uint32_t rule, predicates_end;
};

struct compiled_rules {
    struct ruleset *rules;
    TSQuery        *query;
    uint32_t        key, place; /* captures */
    ARRAY(struct predicate) predicates;
    ARRAY(struct operand) operands;
    ARRAY(struct pattern) patterns;
};

/* ---- Reading ---------------------------------------------------------------------------------- */

/* Adds a file to the joint text. */
static bool read_rule(struct ruleset *rules, const struct found_files *files, const char *path,
                      const char *shown) {
    const char *slash = strrchr(path, '/'), *stem = slash != NULL ? slash + 1 : path, *reason;
    size_t      length = strlen(stem);
    struct text text = {NULL, 0, 0}, name = {NULL, 0, 0};
    if ((reason = files_read(files, path, QUERY_LIMIT_BYTES, &text)) != NULL) {
        snprintf(rules->error, sizeof rules->error, "%s: %s", shown, reason);
        free(text.items);
        return false;
    }
    length -= length > 4 && strcmp(stem + length - 4, ".scm") == 0 ? 4 : 0;
    text_print(&name, "rule.%.*s", (int)length, stem);
    *array_push(&name) = '\0';
    uint32_t start = rules->text.count;
    text_add(&rules->text, text.items, text.count);
    text_add(&rules->text, "\n", 1);
    *array_push(&rules->rules) =
        (struct rule){name.items, must_copy(shown, strlen(shown)), start, rules->text.count};
    free(text.items);
    return true;
}

static bool skip_nothing(const char *folder) {
    (void)folder;
    return false;
}

bool rules_read(struct ruleset *rules, const char *path) {
    struct found_files files, here = {.root = AT_FDCWD};
    bool               good = true;
    if (!files_find(&files, path, ".scm", skip_nothing)) {
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
    rules_free(rules->shared);
}

/* ---- Compiling -------------------------------------------------------------------------------- */

/* The rule that a byte of the joint text is in. */
static uint32_t rule_at(const struct ruleset *rules, uint32_t byte) {
    uint32_t number = 0;
    while (number + 1 < rules->rules.count && rules->rules.items[number + 1].start <= byte)
        number++;
    return number;
}

/* Notes what is wrong at a byte of the joint text. */
static bool complain(struct ruleset *rules, uint32_t at, const char *what, const char *which) {
    const struct rule *rule = &rules->rules.items[rule_at(rules, at)];
    uint32_t           line = 1;
    for (uint32_t i = rule->start; i < at; i++)
        line += rules->text.items[i] == '\n';
    pthread_mutex_lock(&rules->lock);
    snprintf(rules->error, sizeof rules->error, "%s:%u: %s%s", rule->path, line, what, which);
    pthread_mutex_unlock(&rules->lock);
    return false;
}

/* Compiles the predicate whose steps are given: name, capture, operands. */
static bool compile_predicate(struct compiled_rules *out, uint32_t at, const TSQueryPredicateStep *steps,
                              uint32_t count) {
    static const struct {
        const char *name;
        enum test   test;
        bool        negated;
    } known[] = {{"eq?", EQUAL, false},
                 {"not-eq?", EQUAL, true},
                 {"match?", MATCH, false},
                 {"not-match?", MATCH, true},
                 {"any-of?", ANY_OF, false}};
    uint32_t    length;
    size_t      is = 0;
    const char *name = steps[0].type == TSQueryPredicateStepTypeString
                           ? ts_query_string_value_for_id(out->query, steps[0].value_id, &length)
                           : "";
    while (is < sizeof known / sizeof *known && strcmp(known[is].name, name) != 0)
        is++;
    if (is == sizeof known / sizeof *known)
        return complain(out->rules, at, "known predicates are eq?, not-eq?, match?, not-match?, any-of?; not ",
                        name);
    bool shape = count >= 3 && steps[1].type == TSQueryPredicateStepTypeCapture &&
                 (count == 3 || known[is].test == ANY_OF);
    struct predicate predicate = {.test = known[is].test,
                                  .negated = known[is].negated,
                                  .capture = shape ? steps[1].value_id : 0,
                                  .first_operand = out->operands.count,
                                  .operand_count = count - 2};
    for (uint32_t i = 2; i < count && shape; i++) {
        struct operand operand = {NULL, 0, steps[i].value_id};
        if (steps[i].type == TSQueryPredicateStepTypeString)
            operand.text = ts_query_string_value_for_id(out->query, steps[i].value_id, &operand.length);
        shape = operand.text != NULL || predicate.test == EQUAL;
        *array_push(&out->operands) = operand;
    }
    if (!shape)
        return complain(out->rules, at, "wants a capture, then text: ", name);
    const char *text = out->operands.items[predicate.first_operand].text;
    if (predicate.test == MATCH && regcomp(&predicate.regex, text, REG_EXTENDED | REG_NOSUB) != 0)
        return complain(out->rules, at, "no extended regular expression: ", text);
    *array_push(&out->predicates) = predicate;
    return true;
}

static bool compile_pattern(struct compiled_rules *out, uint32_t pattern) {
    uint32_t count, from = 0, at = ts_query_start_byte_for_pattern(out->query, pattern);
    const TSQueryPredicateStep *steps = ts_query_predicates_for_pattern(out->query, pattern, &count);
    if (out->key == NO_CAPTURE ||
        ts_query_capture_quantifier_for_id(out->query, pattern, out->key) == TSQuantifierZero)
        return complain(out->rules, at, "the pattern captures no @key", "");
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].type != TSQueryPredicateStepTypeDone)
            continue;
        if (!compile_predicate(out, at, steps + from, i - from))
            return false;
        from = i + 1;
    }
    *array_push(&out->patterns) = (struct pattern){rule_at(out->rules, at), out->predicates.count};
    return true;
}

static uint32_t find_capture_id(const TSQuery *query, const char *wanted) {
    uint32_t length, id = 0, count = ts_query_capture_count(query);
    while (id < count && strcmp(ts_query_capture_name_for_id(query, id, &length), wanted) != 0)
        id++;
    return id < count ? id : NO_CAPTURE;
}

/* Compiles the text from one byte to another; NULL, after a complaint: it is wrong. */
static TSQuery *compile_text(struct ruleset *rules, uint32_t from, uint32_t to) {
    static const char *const errors[] = {"", "syntax error in the query", "no such node in Python's grammar",
                                         "no such field in Python's grammar", "no such capture in this pattern",
                                         "a pattern that can never match", "the grammar does not fit tree-sitter"};
    uint32_t     at;
    TSQueryError error;
    TSQuery *query = ts_query_new(tree_sitter_python(), rules->text.items + from, to - from, &at, &error);
    if (query == NULL)
        complain(rules, from + at < to ? from + at : to - 1, errors[error], "");
    return query;
}

struct compiled_rules *rules_compile(struct ruleset *rules) {
    struct compiled_rules *out = must_realloc(NULL, sizeof *out);
    *out = (struct compiled_rules){.rules = rules, .key = NO_CAPTURE, .place = NO_CAPTURE};
    if (rules->rules.count == 0)
        return out;
    out->query = compile_text(rules, 0, rules->text.count);
    bool good = out->query != NULL;
    if (good) {
        out->key = find_capture_id(out->query, "key");
        out->place = find_capture_id(out->query, "place");
    }
    for (uint32_t i = 0; good && i < ts_query_pattern_count(out->query); i++)
        good = compile_pattern(out, i);
    /* A file with a bracket too few may be noticed only in the next one: each is tried alone. */
    for (uint32_t i = 0; out->query == NULL && i < rules->rules.count; i++) {
        TSQuery *alone = compile_text(rules, rules->rules.items[i].start, rules->rules.items[i].end);
        if (alone == NULL)
            break;
        ts_query_delete(alone);
    }
    if (good)
        return out;
    rules_free(out);
    return NULL;
}

void rules_free(struct compiled_rules *compiled) {
    if (compiled == NULL)
        return;
    for (uint32_t i = 0; i < compiled->predicates.count; i++) {
        if (compiled->predicates.items[i].test == MATCH)
            regfree(&compiled->predicates.items[i].regex);
    }
    free(compiled->predicates.items);
    free(compiled->operands.items);
    free(compiled->patterns.items);
    if (compiled->query != NULL)
        ts_query_delete(compiled->query);
    free(compiled);
}

/* ---- Running ---------------------------------------------------------------------------------- */

static const TSNode *find_capture(const TSQueryMatch *match, uint32_t capture) {
    for (uint16_t i = 0; i < match->capture_count; i++) {
        if (match->captures[i].index == capture)
            return &match->captures[i].node;
    }
    return NULL;
}

static bool test_operand(const struct predicate *predicate, const struct operand *operand,
                         const struct detector *d, const TSQueryMatch *match, TSNode node) {
    uint32_t    length, other_length = operand->length;
    const char *text = text_of(d, node, &length), *other = operand->text;
    if (predicate->test == MATCH) {
        regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)length};
        return regexec(&predicate->regex, text, 1, &range, REG_STARTEND) == 0;
    }
    const TSNode *capture = other == NULL ? find_capture(match, operand->capture) : NULL;
    if (capture != NULL)
        other = text_of(d, *capture, &other_length);
    return other != NULL && length == other_length && memcmp(text, other, length) == 0;
}

/* A predicate holds if it does for every node of its capture (`+` and `*` capture several). */
static bool holds(const struct compiled_rules *rules, const struct predicate *predicate,
                  const struct detector *d, const TSQueryMatch *match) {
    for (uint16_t i = 0; i < match->capture_count; i++) {
        bool any = false;
        if (match->captures[i].index != predicate->capture)
            continue;
        for (uint32_t j = 0; j < predicate->operand_count && !any; j++)
            any = test_operand(predicate, &rules->operands.items[predicate->first_operand + j], d, match,
                               match->captures[i].node);
        if (any == predicate->negated)
            return false;
    }
    return true;
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

void rules_run(const struct compiled_rules *compiled, struct detector *d, TSNode root) {
    TSQueryMatch match;
    if (compiled->query == NULL)
        return;
    ts_query_cursor_exec(d->matches, compiled->query, root);
    while (ts_query_cursor_next_match(d->matches, &match)) {
        const struct pattern *pattern = &compiled->patterns.items[match.pattern_index];
        const TSNode         *key = find_capture(&match, compiled->key);
        const TSNode         *place = find_capture(&match, compiled->place);
        bool                  accepted = key != NULL;
        for (uint32_t i = match.pattern_index > 0 ? pattern[-1].predicates_end : 0;
             i < pattern->predicates_end && accepted; i++)
            accepted = holds(compiled, &compiled->predicates.items[i], d, &match);
        if (!accepted)
            continue;
        struct fact *fact = note(d, SORT_RULE, ROLE_place, put_node(d, *key), place != NULL ? *place : *key);
        fact->scope = pattern->rule;
        fact->function = function_at(d, fact->start);
    }
    if (ts_query_cursor_did_exceed_match_limit(d->matches)) {
        pthread_mutex_lock(&compiled->rules->lock);
        compiled->rules->match_limit_hits++;
        pthread_mutex_unlock(&compiled->rules->lock);
    }
}
