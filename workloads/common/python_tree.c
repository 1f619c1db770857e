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
    BYTES_A_SECOND = 1 << 20, /* as much again for each MiB */
    /* tree-sitter 0.20.7 counts children in 16 bits, and corrupts the heap with more. Nodes that repeat are halved
     * as they grow, so only an error has so many: what it skips, and what was open when it came. */
    CHILDREN_MAX = 60000
};

/* ---- Before the parser ------------------------------------------------------------------------- */

/* What is open at a depth of brackets: words, signs and comments since the last that an element or a statement
 * ended with. Outside of brackets comments stay open to the next line that is not indented. */
struct level {
    uint32_t open;
    bool has_lambda; /* whose commas and colon end nothing */
};

struct survey {
    const char *too_deep; /* the first bracket in too many others; NULL: there is none */
    const char *too_long; /* where too much is open; NULL: nowhere */
    uint32_t tokens;      /* at most */
    uint32_t open, comments, depth, indent;
    const char *last, *last_end; /* the last word or sign */
    struct level levels[BRACKETS_MAX + 2];
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

static const char *skip_comment(struct survey *survey, const char *c, const char *end) {
    survey->tokens++;
    survey->open++;
    if (survey->depth == 0)
        survey->comments++;
    else
        survey->levels[survey->depth].open++;
    if (*c == '\\')
        return end - c > 1 ? c + 2 : end; /* with its line end */
    while (c < end && *c != '\n')
        c++;
    return c;
}

static void end_element(struct survey *survey) {
    struct level *level = &survey->levels[survey->depth];
    survey->open -= level->open;
    *level = (struct level){0, false};
}

/* Where something is still to come the parser reads on in the next line. */
static bool line_may_end(const struct survey *survey) {
    static const char *const words[] = {"not",  "and",  "or",    "in",     "is", "if",
                                        "else", "from", "await", "lambda", "as"};
    size_t length = (size_t)(survey->last_end - survey->last);
    if (length == 0 || survey->depth > 0)
        return survey->depth == 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == length && memcmp(words[i], survey->last, length) == 0)
            return false;
    char c = survey->last_end[-1];
    return is_word(c) || (c == ':' ? !survey->levels[0].has_lambda
                                   : strchr("\"')]},;.", c) != NULL || (unsigned char)c > 127);
}

/* The end of a line, and, where the next one is indented more, one token there and one where that ends. */
static const char *skip_line_end(struct survey *survey, const char *c, const char *end) {
    const char *from = ++c;
    while (c < end && (*c == ' ' || *c == '\t' || *c == '\f'))
        c++;
    if (c == end || *c == '\n' || *c == '#')
        return c;
    uint32_t indent = (uint32_t)(c - from);
    survey->tokens += indent > survey->indent ? 3 : 1;
    survey->indent = indent;
    if (line_may_end(survey)) {
        end_element(survey);
        survey->open -= indent == 0 ? survey->comments : 0;
        survey->comments = indent == 0 ? 0 : survey->comments;
    }
    return c;
}

static void note_sign(struct survey *survey, const char *c) {
    struct level *level = &survey->levels[survey->depth];
    if (*c == '(' || *c == '[' || *c == '{') {
        if (survey->depth == BRACKETS_MAX)
            survey->too_deep = c;
        else
            survey->depth++;
    } else if ((*c == ')' || *c == ']' || *c == '}') && survey->depth > 0) {
        end_element(survey);
        survey->depth--;
    } else if ((*c == ',' && survey->depth > 0 && !level->has_lambda) ||
               (*c == ';' && survey->depth == 0))
        end_element(survey);
}

static const char *skip_part(struct survey *survey, const char *c, const char *end) {
    const char *from = c;
    survey->open++;
    survey->levels[survey->depth].open++;
    if (*c == '"' || *c == '\'')
        c = end_of_string(c, end);
    while (c < end && is_word(*c))
        c++;
    if (c == from)
        note_sign(survey, c++);
    if (c - from == 6 && memcmp(from, "lambda", 6) == 0)
        survey->levels[survey->depth].has_lambda = true;
    survey->tokens += count_tokens(from, c);
    survey->last = from;
    survey->last_end = c;
    return c;
}

static void look_at(struct survey *survey, const struct text *source) {
    const char *c = source->items, *end = c + source->count;
    *survey = (struct survey){.last = c, .last_end = c};
    while (c < end && survey->too_deep == NULL) {
        if (*c == '\n')
            c = skip_line_end(survey, c, end);
        else if (*c == ' ' || *c == '\t' || *c == '\f')
            c++;
        else {
            const char *from = c;
            c = *c == '#' || *c == '\\' ? skip_comment(survey, c, end) : skip_part(survey, c, end);
            if (survey->open > CHILDREN_MAX && survey->too_long == NULL)
                survey->too_long = from;
        }
    }
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

TSTree *python_tree_parse(TSParser *parser, const struct text *source, struct text *reason) {
    struct survey survey;
    struct witness witness = {0, 0};
    uint32_t seconds = LEAST_SECONDS + source->count / BYTES_A_SECOND;
    look_at(&survey, source);
    if (survey.too_deep != NULL)
        text_print(reason, "brackets nested too deeply at line %u",
                   text_line_at(source, survey.too_deep));
    else if (survey.too_long != NULL)
        text_print(reason, "more than %u words, signs and comments in one statement at line %u",
                   CHILDREN_MAX, text_line_at(source, survey.too_long));
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
