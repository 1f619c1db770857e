/* SPDX-License-Identifier: MIT
 * query.c -- see query.h. */
#include "query.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct operand {
    const char *text; /* NULL: a capture */
    uint32_t length, capture;
};

enum test { EQUAL, MATCH, ANY_OF };

struct predicate {
    enum test test;
    bool negated;
    uint32_t capture, first_operand, operand_count;
    regex_t regex;
};

struct query {
    TSQuery *query;
    ARRAY(struct predicate) predicates;
    ARRAY(struct operand) operands;
    ARRAY(uint32_t) ends; /* predicates of pattern i end here */
};

static const struct {
    const char *name;
    enum test test;
    bool negated;
} known[] = {{"eq?", EQUAL, false},
             {"not-eq?", EQUAL, true},
             {"match?", MATCH, false},
             {"not-match?", MATCH, true},
             {"any-of?", ANY_OF, false}};

enum { KNOWN_COUNT = sizeof known / sizeof *known };

/* Compiles the predicate whose steps are given: name, capture, operands. */
static bool compile_predicate(struct query *out, const TSQueryPredicateStep *steps, uint32_t count,
                              struct text *message) {
    uint32_t length, is = 0;
    const char *name = steps[0].type == TSQueryPredicateStepTypeString
                           ? ts_query_string_value_for_id(out->query, steps[0].value_id, &length)
                           : "";
    while (is < KNOWN_COUNT && strcmp(known[is].name, name) != 0)
        is++;
    if (is == KNOWN_COUNT) {
        text_print(message, "no predicate #%s; known are eq? not-eq? match? not-match? any-of?",
                   name);
        return false;
    }
    bool shape = count >= 3 && steps[1].type == TSQueryPredicateStepTypeCapture &&
                 (count == 3 || known[is].test == ANY_OF);
    struct predicate predicate = {
        known[is].test,      known[is].negated, shape ? steps[1].value_id : 0,
        out->operands.count, count - 2,         {0}};
    for (uint32_t i = 2; i < count && shape; i++) {
        struct operand operand = {NULL, 0, steps[i].value_id};
        if (steps[i].type == TSQueryPredicateStepTypeString)
            operand.text =
                ts_query_string_value_for_id(out->query, steps[i].value_id, &operand.length);
        shape = operand.text != NULL || predicate.test == EQUAL;
        *array_push(&out->operands) = operand;
    }
    if (!shape) {
        text_print(message, "#%s wants a capture, then text", name);
        return false;
    }
    const char *text = out->operands.items[predicate.first_operand].text;
    if (predicate.test == MATCH && regcomp(&predicate.regex, text, REG_EXTENDED | REG_NOSUB) != 0) {
        text_print(message, "no extended regular expression: %s", text);
        return false;
    }
    *array_push(&out->predicates) = predicate;
    return true;
}

static uint32_t find_capture(const TSQuery *query, const char *wanted) {
    uint32_t length, id = 0, count = ts_query_capture_count(query);
    while (id < count && strcmp(ts_query_capture_name_for_id(query, id, &length), wanted) != 0)
        id++;
    return id < count ? id : UINT32_MAX;
}

static bool compile_pattern(struct query *out, uint32_t pattern, const char *required,
                            struct text *message) {
    uint32_t count, from = 0, capture = find_capture(out->query, required);
    const TSQueryPredicateStep *steps =
        ts_query_predicates_for_pattern(out->query, pattern, &count);
    if (capture == UINT32_MAX ||
        ts_query_capture_quantifier_for_id(out->query, pattern, capture) == TSQuantifierZero) {
        text_print(message, "the pattern captures no @%s", required);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].type != TSQueryPredicateStepTypeDone)
            continue;
        if (!compile_predicate(out, steps + from, i - from, message))
            return false;
        from = i + 1;
    }
    *array_push(&out->ends) = out->predicates.count;
    return true;
}

struct query *query_compile(const TSLanguage *language, const char *text, uint32_t length,
                            const char *required, uint32_t *at, struct text *message) {
    static const char *const errors[] = {"",
                                         "syntax error in the query",
                                         "no such node in the grammar",
                                         "no such field in the grammar",
                                         "no such capture in this pattern",
                                         "a pattern that can never match",
                                         "the grammar does not fit tree-sitter"};
    TSQueryError error;
    struct query *out = must_realloc(NULL, sizeof *out);
    *out = (struct query){.query = ts_query_new(language, text, length, at, &error)};
    bool good = out->query != NULL;
    if (!good)
        text_print(message, "%s", errors[error]);
    for (uint32_t i = 0; good && i < ts_query_pattern_count(out->query); i++) {
        *at = ts_query_start_byte_for_pattern(out->query, i);
        good = compile_pattern(out, i, required, message);
    }
    if (good)
        return out;
    query_free(out);
    return NULL;
}

void query_free(struct query *query) {
    if (query == NULL)
        return;
    for (uint32_t i = 0; i < query->predicates.count; i++) {
        if (query->predicates.items[i].test == MATCH)
            regfree(&query->predicates.items[i].regex);
    }
    free(query->predicates.items);
    free(query->operands.items);
    free(query->ends.items);
    if (query->query != NULL)
        ts_query_delete(query->query);
    free(query);
}

bool query_has_pattern(const struct query *query, uint32_t from, uint32_t to) {
    for (uint32_t i = 0; i < query->ends.count; i++) {
        uint32_t start = ts_query_start_byte_for_pattern(query->query, i);
        if (start >= from && start < to)
            return true;
    }
    return false;
}

void query_start(const struct query *query, TSQueryCursor *cursor, TSNode node) {
    ts_query_cursor_exec(cursor, query->query, node);
}

static const TSNode *captured(const TSQueryMatch *match, uint32_t capture) {
    for (uint16_t i = 0; i < match->capture_count; i++) {
        if (match->captures[i].index == capture)
            return &match->captures[i].node;
    }
    return NULL;
}

static const char *text_of(const char *source, const TSNode *node, uint32_t *length) {
    *length = ts_node_end_byte(*node) - ts_node_start_byte(*node);
    return source + ts_node_start_byte(*node);
}

static bool test_operand(const struct predicate *predicate, const struct operand *operand,
                         const char *source, const TSQueryMatch *match, const TSNode *node) {
    uint32_t length, other_length = operand->length;
    const char *text = text_of(source, node, &length), *other = operand->text;
    if (predicate->test == MATCH) {
        regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)length};
        return regexec(&predicate->regex, text, 1, &range, REG_STARTEND) == 0;
    }
    const TSNode *capture = other == NULL ? captured(match, operand->capture) : NULL;
    if (capture != NULL)
        other = text_of(source, capture, &other_length);
    return other != NULL && length == other_length && memcmp(text, other, length) == 0;
}

/* A predicate holds if it does for every node of its capture (`+` and `*` capture several). */
static bool holds(const struct query *query, const struct predicate *predicate, const char *source,
                  const TSQueryMatch *match) {
    for (uint16_t i = 0; i < match->capture_count; i++) {
        const struct operand *operands = &query->operands.items[predicate->first_operand];
        bool any = false;
        if (match->captures[i].index != predicate->capture)
            continue;
        for (uint32_t j = 0; j < predicate->operand_count && !any; j++)
            any = test_operand(predicate, &operands[j], source, match, &match->captures[i].node);
        if (any == predicate->negated)
            return false;
    }
    return true;
}

bool query_next(const struct query *query, TSQueryCursor *cursor, const char *source,
                TSQueryMatch *match) {
    while (ts_query_cursor_next_match(cursor, match)) {
        uint32_t i = match->pattern_index > 0 ? query->ends.items[match->pattern_index - 1] : 0;
        uint32_t end = query->ends.items[match->pattern_index];
        while (i < end && holds(query, &query->predicates.items[i], source, match))
            i++;
        if (i == end)
            return true;
    }
    return false;
}

uint32_t query_pattern_start(const struct query *query, const TSQueryMatch *match) {
    return ts_query_start_byte_for_pattern(query->query, match->pattern_index);
}

const TSNode *query_capture(const struct query *query, const TSQueryMatch *match,
                            const char *name) {
    return captured(match, find_capture(query->query, name));
}
