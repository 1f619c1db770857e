/* SPDX-License-Identifier: MIT
 * detector.h -- the pooled object: everything that analysing one file needs, built once.
 *
 * A detector owns a parser, cursors, its own compiled user queries with their regular expressions,
 * scratch memory and the results of the file at hand. What never changes -- the grammar, the tables
 * of node kinds, the rules as text -- is shared by all detectors.
 *
 * One parse and one walk feed all eight kinds: visit.c keeps the path from the root to the node at
 * hand, and calls the kinds that asked for nodes of that sort. They look up that path (parents cost
 * nothing) and rarely down (children are collected into scratch).
 */
#ifndef INSPECT_DETECTOR_H
#define INSPECT_DETECTOR_H

#include "corpus.h"
#include "facts.h"

#include <tree_sitter/api.h>

struct ruleset;
struct compiled_rules;

/* Sorts of syntax nodes that somebody asks for; visit.c has their names in the grammar. */
enum node_kind {
    NODE_OTHER,
    NODE_MODULE,
    NODE_IDENTIFIER,
    NODE_INTEGER,
    NODE_FLOAT,
    NODE_STRING,
    NODE_CONCATENATED,
    NODE_COMMENT,
    NODE_CONTINUATION,
    NODE_PARENTHESES,
    NODE_UNARY,
    NODE_BINARY,
    NODE_COMPARISON,
    NODE_ATTRIBUTE,
    NODE_SUBSCRIPT,
    NODE_CALL,
    NODE_ARGUMENTS,
    NODE_KEYWORD_ARGUMENT,
    NODE_LIST_SPLAT,
    NODE_SPLAT_PATTERN,
    NODE_DICTIONARY_SPLAT,
    NODE_DICTIONARY_SPLAT_PATTERN,
    NODE_KEYWORD_SEPARATOR,
    NODE_POSITIONAL_SEPARATOR,
    NODE_TUPLE,
    NODE_LIST,
    NODE_SET,
    NODE_DICTIONARY,
    NODE_LIST_COMPREHENSION,
    NODE_SET_COMPREHENSION,
    NODE_DICTIONARY_COMPREHENSION,
    NODE_EXPRESSION_LIST,
    NODE_PATTERN_LIST,
    NODE_TUPLE_PATTERN,
    NODE_LIST_PATTERN,
    NODE_AS_PATTERN,
    NODE_FUNCTION,
    NODE_CLASS,
    NODE_DECORATED,
    NODE_PARAMETERS,
    NODE_DEFAULT_PARAMETER,
    NODE_TYPED_PARAMETER,
    NODE_TYPED_DEFAULT,
    NODE_TYPE,
    NODE_GENERIC_TYPE,
    NODE_TYPE_PARAMETER,
    NODE_UNION_TYPE,
    NODE_STATEMENT,
    NODE_ASSIGNMENT,
    NODE_RETURN,
    NODE_GLOBAL,
    NODE_IMPORT_FROM,
    NODE_FUTURE_IMPORT,
    NODE_ALIASED_IMPORT,
    NODE_DOTTED_NAME,
    NODE_RELATIVE_IMPORT,
    NODE_IMPORT_PREFIX,
    NODE_BLOCK,
    NODE_EXCEPT,
    NODE_EXCEPT_GROUP,
    NODE_EXCEPT_STAR,
    NODE_FINALLY,
    NODE_WITH_ITEM,
    NODE_PRINT,
    NODE_CHEVRON,
    NODE_EXEC,
    NODE_IS,
    NODE_IS_NOT,
    NODE_NOT_EQUAL_2,
    NODE_COMMA,
    NODE_SEMICOLON,
    NODE_KIND_COUNT,
};

enum field {
    FIELD_FUNCTION,
    FIELD_ARGUMENTS,
    FIELD_OBJECT,
    FIELD_ATTRIBUTE,
    FIELD_NAME,
    FIELD_VALUE,
    FIELD_LEFT,
    FIELD_RIGHT,
    FIELD_TYPE,
    FIELD_RETURN_TYPE,
    FIELD_BODY,
    FIELD_MODULE_NAME,
    FIELD_ALIAS,
    FIELD_OPERATOR,
    FIELD_ARGUMENT,
    FIELD_PARAMETERS,
    FIELD_COUNT
};

/* A node on the path from the root to the one at hand. */
struct frame {
    TSNode node;
    uint32_t function; /* the innermost def that contains the node; a def contains itself */
    uint8_t kind;      /* enum node_kind */
    bool in_finally;   /* of the same function */
    bool is_body;      /* the body of the def above it */
};

/* A call, taken apart once for all kinds. */
struct call {
    TSNode callee; /* without parentheses */
    TSNode object; /* of an attribute call */
    TSNode arguments;
    const char *name; /* of the function reference; NULL: it has none */
    uint32_t name_length;
    bool attribute;
};

enum argument_sort {
    ARGUMENT_POSITIONAL,
    ARGUMENT_STARRED,
    ARGUMENT_KEYWORD,
    ARGUMENT_DOUBLE_STARRED
};

struct argument {
    TSNode value; /* of a keyword argument: its value, parentheses left on */
    TSNode node;
    enum argument_sort sort;
};

/* An assignment with a value, `a = b = value` or `a: T = value`, taken apart once for all kinds. */
struct assignment {
    ARRAY(TSNode) targets;
    TSNode value; /* without parentheses */
};

/* A half of a protocol, and a name that a module binds or uses: judged when the file is at its end. */
struct half {
    uint32_t key, function, line, start;
    bool second, in_finally, is_with_item;
};

struct name_use {
    uint32_t name, function, line, start;
    uint8_t role;
    bool is_display; /* binding of a list, dict or set */
};

struct token {
    uint64_t hash;
    bool is_semicolon;
};

struct detector {
    const struct corpus *corpus;
    uint32_t kinds; /* bit mask of enum kind */
    TSParser *parser;
    TSTreeCursor walk, look; /* the walk, and glances at children */
    bool has_cursors;
    TSQueryCursor *matches;
    struct compiled_rules *queries;
    bool owns_queries;

    /* The file at hand. */
    const struct source_file *file;
    ARRAY(char) source;
    uint64_t read_bytes; /* its size; 0 where it could not be read */
    uint32_t bad_line;   /* where a form stands that Python 3 refuses; 0: nowhere */
    ARRAY(struct frame) frames;
    ARRAY(TSNode) nodes; /* scratch for children */
    ARRAY(char) text;    /* scratch for keys */
    ARRAY(struct argument) arguments;
    struct call call;
    struct assignment assignment;
    ARRAY(struct token) tokens;
    ARRAY(struct half) halves;
    ARRAY(struct name_use) names;
    ARRAY(uint8_t) marks; /* one for each string */

    /* Its results. */
    struct strings strings;
    function_array functions;
    fact_array facts;
    char reason[96]; /* why it could not be analysed; "": it was */
};

/* One kind of connascence. */
struct kind_detector {
    const char *name;
    uint8_t strength;
    bool heuristic;
    const uint8_t *wants; /* node kinds, ended by NODE_OTHER */
    void (*enter)(struct detector *d, const struct frame *frame);
    void (*finish)(struct detector *d); /* at the end of the file, or NULL */
};

extern const struct kind_detector kind_detectors[KIND_COUNT];

/* ---- detector.c: the life of a detector and of one file in it ------------------------------- */

/* Makes the shared tables; false, with *message: the grammar does not fit this tree-sitter. */
bool detector_prepare_tables(const char **message);

/* NULL: a rule does not compile; rules->error says why. */
struct detector *detector_create(const struct corpus *corpus, struct ruleset *rules,
                                 uint32_t kinds);
void detector_destroy(struct detector *d);
void detector_reset(struct detector *d);

/* Reads and analyses a file; results and reason are in d until the reset. */
void detector_run(struct detector *d, uint32_t file);

/* ---- visit.c: the walk ---------------------------------------------------------------------- */

void visit_prepare_tables(const TSLanguage *language);
void visit_tree(struct detector *d, TSNode root);

/* ---- look.c: what the kinds see of the tree ------------------------------------------------- */

enum node_kind kind_of(TSNode node);
TSNode field_of(TSNode node, enum field field);
const char *text_of(const struct detector *d, TSNode node, uint32_t *length);
bool text_is(const struct detector *d, TSNode node, const char *text);
TSNode without_parentheses(TSNode node);
uint32_t put_node(struct detector *d, TSNode node); /* its text as a string */
/* Collects the named children that are no comments at the end of d->nodes; returns how many. The
 * caller takes them off again. */
uint32_t push_children(struct detector *d, TSNode node);
/* The frame `up` levels above the current one; NULL beyond the root. */
const struct frame *frame_above(const struct detector *d, uint32_t up);
bool at_top_level(const struct detector *d);
void take_call_apart(struct detector *d, TSNode call, struct call *out);
/* The arguments of d->call in order, in d->arguments. */
uint32_t collect_arguments(struct detector *d);
bool take_assignment_apart(struct detector *d, TSNode assignment);
/* A target without its parentheses. */
TSNode plain_target(TSNode target);
struct fact *add_fact(struct detector *d, enum sort sort, enum role role, uint32_t key,
                      TSNode place, uint32_t function);

/* ---- literal.c ------------------------------------------------------------------------------ */

struct literal {
    enum {
        LITERAL_NONE,
        LITERAL_INTEGER,
        LITERAL_FLOAT,
        LITERAL_IMAGINARY,
        LITERAL_TEXT,
        LITERAL_BYTES
    } sort;
    bool trivial; /* 0, 1, -1, empty, "__main__" */
    uint32_t key; /* string */
};

/* What literal a node is (parentheses and a minus sign looked through). */
struct literal read_literal(struct detector *d, TSNode node);
/* The key of a number as a real number: 1.0 is 1. */
uint32_t real_number_key(struct detector *d, const struct literal *literal);

#endif
