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

enum { QUERY_LIMIT_BYTES = 1 << 20 };

#define NO_CAPTURE UINT32_MAX

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

struct compiled_rules {
    struct ruleset *rules;
    TSQuery *query;
    uint32_t key, place; /* captures */
    ARRAY(struct predicate) predicates;
    ARRAY(struct operand) operands;
    ARRAY(struct pattern) patterns;
};

/* A pattern of the query: the rule it came from, and where its predicates end. */
struct pattern {
    uint32_t rule, predicates_end;
};

/* ---- Reading ---------------------------------------------------------------------------- */

/* Adds a file to the joint text. */
static bool read_rule(struct ruleset *rules, const char *path) {
    const char *slash = strrchr(path, '/'), *stem = slash != NULL ? slash + 1 : path;
    size_t stem_length = strlen(stem);
    int c;
    if (stem_length > 4 && strcmp(stem + stem_length - 4, ".scm") == 0)
        stem_length -= 4;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(rules->error, sizeof rules->error, "%s: %s", path, strerror(errno));
        return false;
    }
    struct rule rule = {.start = rules->text.count, .path = must_copy(path, strlen(path))};
    while ((c = getc(file)) != EOF && rules->text.count < QUERY_LIMIT_BYTES)
        *array_push(&rules->text) = (char)c;
    *array_push(&rules->text) = '\n';
    rule.end = rules->text.count;
    rule.name = must_realloc(NULL, stem_length + 6);
    snprintf(rule.name, stem_length + 6, "rule.%.*s", (int)stem_length, stem);
    *array_push(&rules->rules) = rule;
    if (ferror(file) != 0 || c != EOF)
        snprintf(rules->error, sizeof rules->error, "%s: cannot be read, or is too large", path);
    fclose(file);
    return rules->error[0] == '\0';
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
    }
    free(rules->rules.items);
    free(rules->text.items);
    rules_free(rules->shared);
}

/* ---- Compiling -------------------------------------------------------------------------- */

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
    uint32_t line = 1;
    for (uint32_t i = rule->start; i < at; i++)
        line += rules->text.items[i] == '\n';
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
static bool compile_predicate(struct compiled_rules *out, uint32_t at,
                              const TSQueryPredicateStep *steps, uint32_t count) {
    struct predicate predicate = {.first_operand = out->operands.count};
    uint32_t length;
    const char *name = steps[0].type == TSQueryPredicateStepTypeString
                           ? ts_query_string_value_for_id(out->query, steps[0].value_id, &length)
                           : "";
    if (!name_predicate(name, &predicate))
        return complain(out->rules, at,
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
        return complain(out->rules, at, "wants a capture, then text: ", name);
    predicate.capture = steps[1].value_id;
    predicate.operand_count = count - 2;
    if (predicate.test == PREDICATE_MATCH) {
        const char *text = out->operands.items[predicate.first_operand].text;
        if (regcomp(&predicate.regex, text, REG_EXTENDED | REG_NOSUB) != 0)
            return complain(out->rules, at, "no extended regular expression: ", text);
    }
    *array_push(&out->predicates) = predicate;
    return true;
}

static bool compile_pattern(struct compiled_rules *out, uint32_t pattern) {
    uint32_t count, from = 0, at = ts_query_start_byte_for_pattern(out->query, pattern);
    const TSQueryPredicateStep *steps =
        ts_query_predicates_for_pattern(out->query, pattern, &count);
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
    for (uint32_t id = 0; id < ts_query_capture_count(query); id++) {
        uint32_t length;
        if (strcmp(ts_query_capture_name_for_id(query, id, &length), wanted) == 0)
            return id;
    }
    return NO_CAPTURE;
}

/* Compiles the text from one byte to another; NULL, after a complaint: it is wrong. */
static TSQuery *compile_text(struct ruleset *rules, uint32_t from, uint32_t to) {
    static const char *const errors[] = {"",
                                         "syntax error in the query",
                                         "no such node in Python's grammar",
                                         "no such field in Python's grammar",
                                         "no such capture in this pattern",
                                         "a pattern that can never match",
                                         "the grammar does not fit tree-sitter"};
    uint32_t at;
    TSQueryError error;
    TSQuery *query =
        ts_query_new(tree_sitter_python(), rules->text.items + from, to - from, &at, &error);
    if (query == NULL)
        complain(rules, from + at < to ? from + at : to - 1, errors[error], "");
    return query;
}

/* A file with a bracket too few may be noticed only in the next one: each is tried alone. */
static void find_culprit(struct ruleset *rules) {
    TSQuery *query;
    for (uint32_t i = 0; i < rules->rules.count; i++) {
        const struct rule *rule = &rules->rules.items[i];
        if ((query = compile_text(rules, rule->start, rule->end)) == NULL)
            return;
        ts_query_delete(query);
    }
}

struct compiled_rules *rules_compile(struct ruleset *rules) {
    struct compiled_rules *out = must_realloc(NULL, sizeof *out);
    *out = (struct compiled_rules){.rules = rules};
    if (rules->rules.count == 0)
        return out;
    out->query = compile_text(rules, 0, rules->text.count);
    bool good = out->query != NULL;
    if (good) {
        out->key = find_capture_id(out->query, "key");
        out->place = find_capture_id(out->query, "place");
    } else {
        find_culprit(rules);
    }
    for (uint32_t i = 0; good && i < ts_query_pattern_count(out->query); i++)
        good = compile_pattern(out, i);
    if (good)
        return out;
    rules_free(out);
    return NULL;
}

void rules_free(struct compiled_rules *compiled) {
    if (compiled == NULL)
        return;
    for (uint32_t i = 0; i < compiled->predicates.count; i++) {
        if (compiled->predicates.items[i].test == PREDICATE_MATCH)
            regfree(&compiled->predicates.items[i].regex);
    }
    free(compiled->predicates.items);
    free(compiled->operands.items);
    free(compiled->patterns.items);
    if (compiled->query != NULL)
        ts_query_delete(compiled->query);
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
static bool holds(const struct compiled_rules *rules, const struct predicate *predicate,
                  const struct detector *d, const TSQueryMatch *match) {
    for (uint16_t i = 0; i < match->capture_count; i++) {
        bool any = false;
        if (match->captures[i].index != predicate->capture)
            continue;
        for (uint32_t j = 0; j < predicate->operand_count && !any; j++)
            any = test_operand(predicate, &rules->operands.items[predicate->first_operand + j], d,
                               match, match->captures[i].node);
        if (any == predicate->negated)
            return false;
    }
    return true;
}

static bool accepts(const struct compiled_rules *rules, const struct detector *d,
                    const TSQueryMatch *match) {
    const struct pattern *pattern = &rules->patterns.items[match->pattern_index];
    for (uint32_t i = match->pattern_index > 0 ? pattern[-1].predicates_end : 0;
         i < pattern->predicates_end; i++) {
        if (!holds(rules, &rules->predicates.items[i], d, match))
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
    TSQueryMatch match;
    if (compiled->query == NULL)
        return;
    ts_query_cursor_exec(cursor, compiled->query, root);
    while (ts_query_cursor_next_match(cursor, &match)) {
        const TSNode *key = find_capture(&match, compiled->key);
        const TSNode *place = find_capture(&match, compiled->place);
        const char *name =
            compiled->rules->rules.items[compiled->patterns.items[match.pattern_index].rule].name;
        place = place != NULL ? place : key;
        if (key != NULL && accepts(compiled, d, &match))
            add_fact(d, SORT_RULE, ROLE_PLACE, put_node(d, *key), *place,
                     function_at(d, ts_node_start_byte(*place)))
                ->module = strings_put(&d->strings, name, (uint32_t)strlen(name));
    }
    if (ts_query_cursor_did_exceed_match_limit(cursor)) {
        pthread_mutex_lock(&compiled->rules->lock);
        compiled->rules->match_limit_hits++;
        pthread_mutex_unlock(&compiled->rules->lock);
    }
}
