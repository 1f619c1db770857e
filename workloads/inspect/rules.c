/* SPDX-License-Identifier: MIT
 * rules.c -- see rules.h. tree-sitter parses predicates and leaves evaluating them to us. */
#include "rules.h"

#include "detector.h"

#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const TSLanguage *tree_sitter_python(void);

enum { NO_CAPTURE = UINT32_MAX, QUERY_LIMIT_BYTES = 1 << 20 };

struct operand {
    const char *text; /* NULL: a capture */
    uint32_t length, capture;
};

struct predicate {
    enum { PREDICATE_EQUAL, PREDICATE_MATCH, PREDICATE_ANY_OF } test;
    bool negated;
    uint32_t capture;
    uint32_t first_operand, operand_count;
    regex_t regex;
};

struct compiled_rule {
    TSQuery *query;
    uint32_t name; /* position in the ruleset */
    uint32_t key, place;
    ARRAY(struct predicate) predicates;
    ARRAY(struct operand) operands;
    uint32_t *pattern_ends; /* predicates of pattern i end here */
};

struct compiled_rules {
    const struct ruleset *rules;
    ARRAY(struct compiled_rule) items;
};

/* ---- Reading ---------------------------------------------------------------------------- */

static bool read_rule(struct ruleset *rules, const char *path) {
    const char *slash = strrchr(path, '/'), *stem = slash != NULL ? slash + 1 : path;
    size_t stem_length = strlen(stem);
    if (stem_length > 4 && strcmp(stem + stem_length - 4, ".scm") == 0)
        stem_length -= 4;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(rules->error, sizeof rules->error, "%s: %s", path, strerror(errno));
        return false;
    }
    char *text = must_realloc(NULL, QUERY_LIMIT_BYTES);
    size_t length = fread(text, 1, QUERY_LIMIT_BYTES, file);
    bool bad = ferror(file) != 0 || length == QUERY_LIMIT_BYTES;
    fclose(file);
    if (bad) {
        snprintf(rules->error, sizeof rules->error, "%s: cannot be read, or is 1 MiB or more",
                 path);
        free(text);
        return false;
    }
    char *name = must_realloc(NULL, stem_length + 6);
    snprintf(name, stem_length + 6, "rule.%.*s", (int)stem_length, stem);
    *array_push(&rules->rules) = (struct rule){name, must_copy(path, strlen(path)),
                                               must_realloc(text, length + 1), (uint32_t)length};
    return true;
}

static int is_rule_file(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".scm") == 0;
}

bool rules_read(struct ruleset *rules, const char *path) {
    struct stat status;
    struct dirent **entries;
    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode))
        return read_rule(rules, path);
    int count = scandir(path, &entries, is_rule_file, alphasort);
    if (count <= 0) {
        snprintf(rules->error, sizeof rules->error, "%s: %s", path,
                 count < 0 ? strerror(errno) : "has no *.scm files");
        if (count == 0)
            free(entries);
        return false;
    }
    bool good = true;
    for (int i = 0; i < count; i++) {
        size_t size = strlen(path) + strlen(entries[i]->d_name) + 2;
        char *full = must_realloc(NULL, size);
        snprintf(full, size, "%s/%s", path, entries[i]->d_name);
        good = good && read_rule(rules, full);
        free(full);
        free(entries[i]);
    }
    free(entries);
    return good;
}

void rules_end(struct ruleset *rules) {
    for (uint32_t i = 0; i < rules->rules.count; i++) {
        free(rules->rules.items[i].name);
        free(rules->rules.items[i].path);
        free(rules->rules.items[i].text);
    }
    free(rules->rules.items);
    rules_free(rules->shared);
}

/* ---- Compiling -------------------------------------------------------------------------- */

static bool complain(struct ruleset *rules, const struct rule *rule, uint32_t at, const char *what,
                     const char *which) {
    uint32_t line = 1;
    for (uint32_t i = 0; i < at && i < rule->length; i++)
        line += rule->text[i] == '\n';
    pthread_mutex_lock(&rules->lock);
    snprintf(rules->error, sizeof rules->error, "%s:%u: %s%s", rule->path, line, what, which);
    pthread_mutex_unlock(&rules->lock);
    return false;
}

/* Reads the name of a predicate: which test, and whether the other way round. */
static bool name_predicate(const char *name, struct predicate *predicate) {
    static const struct {
        const char *name;
        int test;
        bool negated;
    } known[] = {{"eq?", PREDICATE_EQUAL, false},
                 {"not-eq?", PREDICATE_EQUAL, true},
                 {"match?", PREDICATE_MATCH, false},
                 {"not-match?", PREDICATE_MATCH, true},
                 {"any-of?", PREDICATE_ANY_OF, false}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            predicate->test = known[i].test;
            predicate->negated = known[i].negated;
            return true;
        }
    }
    return false;
}

/* Compiles the predicate whose steps are given: name, capture, operands. */
static bool compile_predicate(struct ruleset *rules, const struct rule *rule,
                              struct compiled_rule *out, uint32_t at,
                              const TSQueryPredicateStep *steps, uint32_t count) {
    struct predicate predicate = {.first_operand = out->operands.count};
    uint32_t length;
    const char *name = steps[0].type == TSQueryPredicateStepTypeString
                           ? ts_query_string_value_for_id(out->query, steps[0].value_id, &length)
                           : "";
    if (!name_predicate(name, &predicate))
        return complain(rules, rule, at,
                        "known predicates are eq?, not-eq?, match?, not-match?, any-of?; not ",
                        name);
    bool shape = count >= 3 && steps[1].type == TSQueryPredicateStepTypeCapture &&
                 (count == 3 || predicate.test == PREDICATE_ANY_OF);
    for (uint32_t i = 2; i < count && shape; i++) {
        struct operand operand = {NULL, 0, steps[i].value_id};
        if (steps[i].type == TSQueryPredicateStepTypeString)
            operand.text =
                ts_query_string_value_for_id(out->query, steps[i].value_id, &operand.length);
        else
            shape = predicate.test == PREDICATE_EQUAL;
        *array_push(&out->operands) = operand;
    }
    if (!shape)
        return complain(rules, rule, at, "wants a capture, then text: ", name);
    predicate.capture = steps[1].value_id;
    predicate.operand_count = count - 2;
    if (predicate.test == PREDICATE_MATCH) {
        const char *pattern = out->operands.items[predicate.first_operand].text;
        if (regcomp(&predicate.regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
            return complain(rules, rule, at, "no extended regular expression: ", pattern);
    }
    *array_push(&out->predicates) = predicate;
    return true;
}

static bool compile_predicates(struct ruleset *rules, const struct rule *rule,
                               struct compiled_rule *out) {
    uint32_t patterns = ts_query_pattern_count(out->query);
    out->pattern_ends = must_realloc(NULL, patterns * sizeof *out->pattern_ends);
    for (uint32_t pattern = 0; pattern < patterns; pattern++) {
        uint32_t count, from = 0;
        uint32_t at = ts_query_start_byte_for_pattern(out->query, pattern);
        const TSQueryPredicateStep *steps =
            ts_query_predicates_for_pattern(out->query, pattern, &count);
        for (uint32_t i = 0; i < count; i++) {
            if (steps[i].type != TSQueryPredicateStepTypeDone)
                continue;
            if (!compile_predicate(rules, rule, out, at, steps + from, i - from))
                return false;
            from = i + 1;
        }
        out->pattern_ends[pattern] = out->predicates.count;
    }
    return true;
}

static bool compile_rule(struct ruleset *rules, uint32_t number, struct compiled_rule *out) {
    static const char *const errors[] = {"",
                                         "syntax error in the query",
                                         "no such node in Python's grammar",
                                         "no such field in Python's grammar",
                                         "no such capture in this pattern",
                                         "a pattern that can never match",
                                         "the grammar does not fit tree-sitter"};
    const struct rule *rule = &rules->rules.items[number];
    uint32_t at;
    TSQueryError error;
    *out = (struct compiled_rule){.name = number, .key = NO_CAPTURE, .place = NO_CAPTURE};
    out->query = ts_query_new(tree_sitter_python(), rule->text, rule->length, &at, &error);
    if (out->query == NULL)
        return complain(rules, rule, at, errors[error], "");
    for (uint32_t id = 0; id < ts_query_capture_count(out->query); id++) {
        uint32_t length;
        const char *name = ts_query_capture_name_for_id(out->query, id, &length);
        if (strcmp(name, "key") == 0)
            out->key = id;
        else if (strcmp(name, "place") == 0)
            out->place = id;
    }
    if (out->key == NO_CAPTURE)
        return complain(rules, rule, 0, "has no capture @key: ", rule->name);
    return compile_predicates(rules, rule, out);
}

struct compiled_rules *rules_compile(struct ruleset *rules) {
    struct compiled_rules *compiled = must_realloc(NULL, sizeof *compiled);
    *compiled = (struct compiled_rules){.rules = rules};
    for (uint32_t i = 0; i < rules->rules.count; i++) {
        if (!compile_rule(rules, i, array_push(&compiled->items))) {
            rules_free(compiled);
            return NULL;
        }
    }
    return compiled;
}

void rules_free(struct compiled_rules *compiled) {
    if (compiled == NULL)
        return;
    for (uint32_t i = 0; i < compiled->items.count; i++) {
        struct compiled_rule *rule = &compiled->items.items[i];
        for (uint32_t j = 0; j < rule->predicates.count; j++) {
            if (rule->predicates.items[j].test == PREDICATE_MATCH)
                regfree(&rule->predicates.items[j].regex);
        }
        free(rule->predicates.items);
        free(rule->operands.items);
        free(rule->pattern_ends);
        if (rule->query != NULL)
            ts_query_delete(rule->query);
    }
    free(compiled->items.items);
    free(compiled);
}

/* ---- Running ---------------------------------------------------------------------------- */

static const TSNode *find_capture(const TSQueryMatch *match, uint32_t capture) {
    for (uint16_t i = 0; i < match->capture_count; i++) {
        if (match->captures[i].index == capture)
            return &match->captures[i].node;
    }
    return NULL;
}

static bool test_operand(const struct predicate *predicate, const struct operand *operand,
                         const struct detector *d, const TSQueryMatch *match, TSNode node) {
    uint32_t length, other_length = operand->length;
    const char *text = text_of(d, node, &length), *other = operand->text;
    if (predicate->test == PREDICATE_MATCH) {
        regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)length};
        return regexec(&predicate->regex, text, 1, &range, REG_STARTEND) == 0;
    }
    if (other == NULL) {
        const TSNode *capture = find_capture(match, operand->capture);
        if (capture == NULL)
            return false;
        other = text_of(d, *capture, &other_length);
    }
    return length == other_length && memcmp(text, other, length) == 0;
}

/* A predicate holds if it does for every node of its capture (`+` and `*` capture several). */
static bool holds(const struct compiled_rule *rule, const struct predicate *predicate,
                  const struct detector *d, const TSQueryMatch *match) {
    for (uint16_t i = 0; i < match->capture_count; i++) {
        bool any = false;
        if (match->captures[i].index != predicate->capture)
            continue;
        for (uint32_t j = 0; j < predicate->operand_count && !any; j++)
            any = test_operand(predicate, &rule->operands.items[predicate->first_operand + j], d,
                               match, match->captures[i].node);
        if (any == predicate->negated)
            return false;
    }
    return true;
}

static bool accepts(const struct compiled_rule *rule, const struct detector *d,
                    const TSQueryMatch *match) {
    uint32_t i = match->pattern_index == 0 ? 0 : rule->pattern_ends[match->pattern_index - 1];
    for (; i < rule->pattern_ends[match->pattern_index]; i++) {
        if (!holds(rule, &rule->predicates.items[i], d, match))
            return false;
    }
    return true;
}

/* The innermost function around a byte. Functions stand in the order of their starts. */
static uint32_t function_at(const struct detector *d, uint32_t byte) {
    uint32_t low = 0, high = d->functions.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->functions.items[middle].start <= byte)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t function = low > 0 ? low - 1 : NO_FUNCTION;
    while (function != NO_FUNCTION && d->functions.items[function].end <= byte)
        function = d->functions.items[function].parent;
    return function;
}

void rules_run(const struct compiled_rules *compiled, TSQueryCursor *cursor, struct detector *d,
               TSNode root) {
    for (uint32_t i = 0; i < compiled->items.count; i++) {
        const struct compiled_rule *rule = &compiled->items.items[i];
        const char *name = compiled->rules->rules.items[rule->name].name;
        TSQueryMatch match;
        ts_query_cursor_exec(cursor, rule->query, root);
        while (ts_query_cursor_next_match(cursor, &match)) {
            const TSNode *key = find_capture(&match, rule->key);
            const TSNode *place = find_capture(&match, rule->place);
            place = place != NULL ? place : key;
            if (key != NULL && accepts(rule, d, &match))
                add_fact(d, SORT_RULE, ROLE_PLACE, put_node(d, *key), *place,
                         function_at(d, ts_node_start_byte(*place)))
                    ->module = strings_put(&d->strings, name, (uint32_t)strlen(name));
        }
        if (ts_query_cursor_did_exceed_match_limit(cursor)) {
            struct ruleset *rules = (struct ruleset *)(uintptr_t)compiled->rules;
            pthread_mutex_lock(&rules->lock);
            rules->match_limit_hits++;
            pthread_mutex_unlock(&rules->lock);
        }
    }
}
