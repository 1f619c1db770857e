/* SPDX-License-Identifier: MIT
 * python_tree.c -- see python_tree.h. */
#include "python_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    BRACKETS_MAX = 200,       /* in one another; MAXLEVEL of Python's tokenizer */
    LEAST_SECONDS = 10,       /* an ordinary file takes some milliseconds */
    BYTES_A_SECOND = 1 << 20, /* and 5 to 20 MiB a second */
    /* tree-sitter 0.20.7 counts children in 16 bits, and corrupts the heap with more. As nodes that repeat are
     * halved, only an error has so many: what was on the stack before it, and what it skips; and comments
     * and continued lines (extras) in a row. */
    CHILDREN_MAX = 60000,
    ROW_MAX = CHILDREN_MAX / 2
};

/* ---- Before the parser ------------------------------------------------------------------------- */

struct survey {
    const char *too_deep;       /* the first bracket in too many others; NULL: there is none */
    const char *too_long;       /* where an expression is; NULL: nowhere */
    uint32_t tokens;            /* at most */
    uint32_t extras, extras_at; /* the longest row of them, and what it is at */
    uint32_t parts;  /* of the expression at hand, or of a row of them without brackets */
    bool has_lambda; /* in it: its commas separate no elements */
};

static const char *end_of_string(const char *c, const char *end) {
    const char quote = *c;
    size_t quotes = end - c >= 3 && c[1] == quote && c[2] == quote ? 3 : 1;
    for (c += quotes; c < end; c++)
        if (*c == '\\')
            c++;
        else if (*c == '\n' && quotes == 1)
            return c; /* an error of the file */
        else if (*c == quote && (quotes == 1 || (end - c >= 3 && c[1] == quote && c[2] == quote)))
            return c + quotes;
    return end;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* In a string, too: what skips an error may take a text for code. A word, a number and a word behind it, one
 * character of another kind, or the end of a line is a token. */
static uint32_t count_tokens(const char *c, const char *end) {
    uint32_t count = 0;
    bool was_word = false;
    for (; c < end; c++) {
        bool word = is_word(*c);
        if (word && !was_word)
            count += *c <= '9' ? 2 : 1;
        else if (!word && *c != ' ')
            count++;
        was_word = word;
    }
    return count;
}

static bool is_extra(char c) {
    return c == '#' || c == '\\';
}

static const char *skip_extra(struct survey *survey, const char *c, const char *end) {
    survey->tokens++;
    if (++survey->extras_at > survey->extras)
        survey->extras = survey->extras_at;
    if (*c == '\\')
        return end - c > 1 ? c + 2 : end; /* with its line end */
    while (c < end && *c != '\n')
        c++;
    return c;
}

static const char *skip_part(struct survey *survey, const char *c, const char *end) {
    const char *from = c;
    if (*c == '"' || *c == '\'')
        c = end_of_string(c, end);
    while (c < end && is_word(*c))
        c++;
    survey->tokens += count_tokens(from, c > from ? c : c + 1);
    survey->has_lambda |= c - from == 6 && memcmp(from, "lambda", 6) == 0;
    return c > from ? c : c + 1;
}

/* Brackets, and what ends an expression: a line or a statement outside of them, a comma inside. */
static uint32_t note_sign(struct survey *survey, const char *c, uint32_t depth) {
    if (depth == 0 ? *c == '\n' || *c == ';' : *c == ',' && !survey->has_lambda) {
        survey->parts = 0;
        survey->has_lambda = false;
    }
    if ((*c == '(' || *c == '[' || *c == '{') && ++depth > BRACKETS_MAX)
        survey->too_deep = c;
    if (*c == ')' || *c == ']' || *c == '}')
        depth -= depth > 0;
    return depth;
}

/* The end of a line, and, where the next one is indented more, one token there and one where that ends. */
static const char *skip_line_end(struct survey *survey, const char *c, const char *end,
                                 uint32_t *indent) {
    const char *from = ++c;
    while (c < end && (*c == ' ' || *c == '\t' || *c == '\f'))
        c++;
    if (c < end && *c == '\n')
        return c;
    survey->tokens += c - from > (ptrdiff_t)*indent ? 3 : 1;
    *indent = (uint32_t)(c - from);
    return c;
}

static struct survey look_at(const struct text *source) {
    struct survey survey = {0};
    const char *c = source->items, *end = c + source->count;
    for (uint32_t depth = 0, indent = 0; c < end && survey.too_deep == NULL;) {
        depth = note_sign(&survey, c, depth);
        if (*c == '\n')
            c = skip_line_end(&survey, c, end, &indent);
        else if (*c == ' ' || *c == '\t' || *c == '\f')
            c++;
        else {
            if (++survey.parts > ROW_MAX && survey.too_long == NULL)
                survey.too_long = c;
            if (is_extra(*c))
                c = skip_extra(&survey, c, end);
            else {
                survey.extras_at = 0;
                c = skip_part(&survey, c, end);
            }
        }
    }
    return survey;
}

static uint32_t line_of(const struct text *source, const char *at) {
    uint32_t line = 1;
    for (const char *c = source->items; c < at; c++)
        line += *c == '\n';
    return line;
}

/* ---- While it parses --------------------------------------------------------------------------- */

/* Large files are parsed up to the first error: what the parser says on its way tells where that is. It tries several
 * readings; when none goes on it resumes one, with an error in it. */
struct witness {
    size_t stop;
    unsigned row;
};

static void note(void *context, TSLogType type, const char *said) {
    struct witness *witness = context;
    const char *row = type == TSLogTypeParse ? strstr(said, "row:") : NULL;
    if (witness->stop == 0 && row != NULL)
        witness->row = (unsigned)strtoul(row + 4, NULL, 10);
    if (type == TSLogTypeParse && strncmp(said, "resume", 6) == 0)
        witness->stop = 1;
}

static TSTree *parse(TSParser *parser, const struct text *source, uint32_t seconds,
                     struct witness *witness, bool is_large) {
    if (is_large) {
        ts_parser_set_logger(parser, (TSLogger){witness, note});
        ts_parser_set_cancellation_flag(parser, &witness->stop);
    }
    ts_parser_set_timeout_micros(parser, seconds * UINT64_C(1000000));
    TSTree *tree = ts_parser_parse_string(parser, NULL, source->items, source->count);
    ts_parser_set_logger(parser, (TSLogger){NULL, NULL});
    ts_parser_set_cancellation_flag(parser, NULL);
    if (tree == NULL)
        ts_parser_reset(parser);
    return tree;
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

static void refuse(const struct survey *survey, const struct text *source, struct text *reason) {
    bool is_large = survey->tokens > CHILDREN_MAX;
    if (survey->too_deep != NULL)
        text_print(reason, "brackets nested too deeply at line %u",
                   line_of(source, survey->too_deep));
    else if (is_large && survey->extras > ROW_MAX)
        text_print(reason, "more than %u comments in a row", ROW_MAX);
    else if (is_large && survey->too_long != NULL)
        text_print(reason, "an expression of more than %u parts at line %u", ROW_MAX,
                   line_of(source, survey->too_long));
}

TSTree *python_tree_parse(TSParser *parser, const struct text *source, struct text *reason) {
    struct survey survey = look_at(source);
    struct witness witness = {0, 0};
    uint32_t seconds = LEAST_SECONDS + source->count / BYTES_A_SECOND;
    refuse(&survey, source, reason);
    if (reason->count > 0)
        return NULL;
    TSTree *tree = parse(parser, source, seconds, &witness, survey.tokens > CHILDREN_MAX);
    if (witness.stop)
        text_print(reason, "syntax error at line %u", witness.row + 1);
    else if (tree == NULL)
        text_print(reason, "takes more than %u s to parse", seconds);
    else if (ts_node_has_error(ts_tree_root_node(tree)))
        text_print(reason, "syntax error at line %u", error_line(ts_tree_root_node(tree)));
    if (reason->count == 0)
        return tree;
    ts_tree_delete(tree);
    return NULL;
}
