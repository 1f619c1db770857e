/* SPDX-License-Identifier: MIT
 * visit.c -- one walk over every node of a tree, for all kinds at once.
 *
 * The walk keeps a stack of frames, so that a kind sees the parents of a node without asking the
 * tree. A string is one token and nothing in it is looked at: that is how f-strings stay out.
 * What a name or a node kind is called in the grammar stands in this file only.
 */
#include "detector.h"

#include <string.h>

static const struct node_name {
    enum node_kind kind;
    bool named;
    const char *name;
} node_names[] = {
    {NODE_MODULE, true, "module"},
    {NODE_IDENTIFIER, true, "identifier"},
    {NODE_INTEGER, true, "integer"},
    {NODE_FLOAT, true, "float"},
    {NODE_STRING, true, "string"},
    {NODE_CONCATENATED, true, "concatenated_string"},
    {NODE_COMMENT, true, "comment"},
    {NODE_CONTINUATION, true, "line_continuation"},
    {NODE_PARENTHESES, true, "parenthesized_expression"},
    {NODE_UNARY, true, "unary_operator"},
    {NODE_BINARY, true, "binary_operator"},
    {NODE_COMPARISON, true, "comparison_operator"},
    {NODE_ATTRIBUTE, true, "attribute"},
    {NODE_SUBSCRIPT, true, "subscript"},
    {NODE_CALL, true, "call"},
    {NODE_ARGUMENTS, true, "argument_list"},
    {NODE_KEYWORD_ARGUMENT, true, "keyword_argument"},
    {NODE_LIST_SPLAT, true, "list_splat"},
    {NODE_SPLAT_PATTERN, true, "list_splat_pattern"},
    {NODE_DICTIONARY_SPLAT, true, "dictionary_splat"},
    {NODE_DICTIONARY_SPLAT_PATTERN, true, "dictionary_splat_pattern"},
    {NODE_KEYWORD_SEPARATOR, true, "keyword_separator"},
    {NODE_POSITIONAL_SEPARATOR, true, "positional_separator"},
    {NODE_TUPLE, true, "tuple"},
    {NODE_LIST, true, "list"},
    {NODE_SET, true, "set"},
    {NODE_DICTIONARY, true, "dictionary"},
    {NODE_LIST_COMPREHENSION, true, "list_comprehension"},
    {NODE_SET_COMPREHENSION, true, "set_comprehension"},
    {NODE_DICTIONARY_COMPREHENSION, true, "dictionary_comprehension"},
    {NODE_EXPRESSION_LIST, true, "expression_list"},
    {NODE_PATTERN_LIST, true, "pattern_list"},
    {NODE_TUPLE_PATTERN, true, "tuple_pattern"},
    {NODE_LIST_PATTERN, true, "list_pattern"},
    {NODE_AS_PATTERN, true, "as_pattern"},
    {NODE_FUNCTION, true, "function_definition"},
    {NODE_CLASS, true, "class_definition"},
    {NODE_DECORATED, true, "decorated_definition"},
    {NODE_PARAMETERS, true, "parameters"},
    {NODE_DEFAULT_PARAMETER, true, "default_parameter"},
    {NODE_TYPED_PARAMETER, true, "typed_parameter"},
    {NODE_TYPED_DEFAULT, true, "typed_default_parameter"},
    {NODE_TYPE, true, "type"},
    {NODE_GENERIC_TYPE, true, "generic_type"},
    {NODE_TYPE_PARAMETER, true, "type_parameter"},
    {NODE_UNION_TYPE, true, "union_type"},
    {NODE_STATEMENT, true, "expression_statement"},
    {NODE_ASSIGNMENT, true, "assignment"},
    {NODE_RETURN, true, "return_statement"},
    {NODE_GLOBAL, true, "global_statement"},
    {NODE_IMPORT_FROM, true, "import_from_statement"},
    {NODE_FUTURE_IMPORT, true, "future_import_statement"},
    {NODE_ALIASED_IMPORT, true, "aliased_import"},
    {NODE_DOTTED_NAME, true, "dotted_name"},
    {NODE_RELATIVE_IMPORT, true, "relative_import"},
    {NODE_IMPORT_PREFIX, true, "import_prefix"},
    {NODE_BLOCK, true, "block"},
    {NODE_EXCEPT, true, "except_clause"},
    {NODE_EXCEPT_GROUP, true, "except_group_clause"},
    {NODE_EXCEPT_STAR, false, "except*"},
    {NODE_FINALLY, true, "finally_clause"},
    {NODE_WITH_ITEM, true, "with_item"},
    {NODE_PRINT, true, "print_statement"},
    {NODE_CHEVRON, true, "chevron"},
    {NODE_EXEC, true, "exec_statement"},
    {NODE_IS, false, "is"},
    {NODE_IS_NOT, false, "is not"},
    {NODE_NOT_EQUAL_2, false, "<>"},
    {NODE_COMMA, false, ","},
    {NODE_SEMICOLON, false, ";"},
};

static const char *const field_names[FIELD_COUNT] = {
    "function", "arguments", "object",   "attribute",   "name", "value",
    "left",     "right",     "type",     "return_type", "body", "module_name",
    "alias",    "operator",  "argument", "parameters"};

enum { SYMBOL_LIMIT = 1024 };

/* Written once, before the first detector; shared by all. */
static uint8_t kinds_by_symbol[SYMBOL_LIMIT];
static uint16_t wanted_by[NODE_KIND_COUNT]; /* bit mask of enum kind */
static TSFieldId field_ids[FIELD_COUNT];

void visit_prepare_tables(const TSLanguage *language) {
    uint32_t symbols = ts_language_symbol_count(language);
    for (uint32_t id = 0; id < symbols && id < SYMBOL_LIMIT; id++) {
        const char *name = ts_language_symbol_name(language, (TSSymbol)id);
        TSSymbolType type = ts_language_symbol_type(language, (TSSymbol)id);
        for (size_t i = 0; i < sizeof node_names / sizeof *node_names; i++) {
            if (type != TSSymbolTypeAuxiliary && strcmp(node_names[i].name, name) == 0 &&
                node_names[i].named == (type == TSSymbolTypeRegular))
                kinds_by_symbol[id] = (uint8_t)node_names[i].kind;
        }
    }
    for (int field = 0; field < FIELD_COUNT; field++)
        field_ids[field] = ts_language_field_id_for_name(language, field_names[field],
                                                         (uint32_t)strlen(field_names[field]));
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        for (const uint8_t *want = kind_detectors[kind].wants; *want != NODE_OTHER; want++)
            wanted_by[*want] |= (uint16_t)(1u << kind);
    }
}

enum node_kind kind_of(TSNode node) {
    TSSymbol symbol = ts_node_symbol(node);
    return symbol < SYMBOL_LIMIT ? (enum node_kind)kinds_by_symbol[symbol] : NODE_OTHER;
}

TSNode field_of(TSNode node, enum field field) {
    return ts_node_child_by_field_id(node, field_ids[field]);
}

static void add_token(struct detector *d, const char *text, uint32_t length, bool is_semicolon) {
    uint64_t hash = length;
    for (uint32_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x9e3779b97f4a7c15);
    *array_push(&d->tokens) = (struct token){hash ^ hash >> 29, is_semicolon};
}

/* Notes the tokens of a node without children as Python's tokenizer would cut them: `except*` is
 * two, and the dots of a relative import come three at a time. */
static void add_tokens(struct detector *d, const struct frame *frame) {
    uint32_t length;
    const char *text = text_of(d, frame->node, &length);
    if (length == 0 || ts_node_is_extra(frame->node))
        return;
    if (frame->kind == NODE_EXCEPT_STAR) {
        add_token(d, "except", 6, false);
        add_token(d, "*", 1, false);
    } else if (frame->kind == NODE_IMPORT_PREFIX) {
        uint32_t run = 0;
        for (uint32_t i = 0; i <= length; i++) {
            bool dot = i < length && text[i] == '.';
            run += dot;
            if (run == 3)
                add_token(d, "...", 3, false);
            else
                for (uint32_t j = 0; !dot && j < run; j++)
                    add_token(d, ".", 1, false);
            if (run == 3 || !dot)
                run = 0;
        }
    } else {
        add_token(d, text, length, frame->kind == NODE_SEMICOLON);
    }
}

static void enter_function(struct detector *d, struct frame *frame) {
    struct function function = {
        .name = put_node(d, field_of(frame->node, FIELD_NAME)),
        .line = ts_node_start_point(frame->node).row + 1,
        .start = ts_node_start_byte(frame->node),
        .end = ts_node_end_byte(frame->node),
        .parent = frame->function,
    };
    frame->function = d->functions.count;
    frame->in_finally = false;
    *array_push(&d->functions) = function;
}

/* Python 2's forms, which the grammar reads and Python 3 refuses. */
static bool is_python_2(const struct detector *d, const struct frame *frame, uint8_t parent) {
    switch (frame->kind) {
    case NODE_PRINT: /* `print >> file, x` is a tuple in Python 3 */
        return kind_of(ts_node_named_child(frame->node, 0)) != NODE_CHEVRON;
    case NODE_EXEC:
    case NODE_NOT_EQUAL_2:
        return true;
    case NODE_COMMA:
        return parent == NODE_EXCEPT;
    case NODE_STRING:
        return d->source.items[ts_node_end_byte(frame->node) - 1] == '`';
    case NODE_INTEGER: {
        uint32_t length;
        const char *text = text_of(d, frame->node, &length);
        char last = text[length - 1];
        bool octal = text[0] == '0' && length > 1 && text[1] >= '0' && text[1] <= '9' &&
                     strspn(text, "0_") < length && last != 'j' && last != 'J';
        return last == 'l' || last == 'L' || octal;
    }
    default:
        return false;
    }
}

/* Returns  whether to go on below the node. */
static bool enter(struct detector *d, TSNode node) {
    struct frame frame = {.node = node, .function = NO_FUNCTION, .kind = (uint8_t)kind_of(node)};
    uint8_t parent_kind = NODE_OTHER;
    if (d->frames.count > 0) {
        const struct frame *parent = &d->frames.items[d->frames.count - 1];
        parent_kind = parent->kind;
        frame.function = parent->function;
        frame.in_finally = parent->in_finally || frame.kind == NODE_FINALLY;
        frame.is_body = frame.kind == NODE_BLOCK && parent_kind == NODE_FUNCTION;
    }
    if (frame.kind == NODE_FUNCTION)
        enter_function(d, &frame);
    if (frame.is_body)
        d->functions.items[frame.function].first_token = d->tokens.count;
    if (d->bad_line == 0 && is_python_2(d, &frame, parent_kind))
        d->bad_line = ts_node_start_point(node).row + 1;

    struct frame *kept = array_push(&d->frames);
    *kept = frame;
    uint32_t wanted = wanted_by[frame.kind] & d->kinds;
    if (wanted != 0 && frame.kind == NODE_CALL)
        take_call_apart(d, node, &d->call);
    if (wanted != 0 && frame.kind == NODE_ASSIGNMENT && !take_assignment_apart(d, node))
        wanted = 0;
    for (; wanted != 0; wanted &= wanted - 1)
        kind_detectors[__builtin_ctz(wanted)].enter(d, kept);
    return frame.kind != NODE_STRING && frame.kind != NODE_IMPORT_PREFIX;
}

static void leave(struct detector *d) {
    const struct frame *frame = &d->frames.items[--d->frames.count];
    if (frame->is_body)
        d->functions.items[frame->function].last_token = d->tokens.count;
}

void visit_tree(struct detector *d, TSNode root) {
    if (!d->has_cursors) {
        d->walk = ts_tree_cursor_new(root);
        d->look = ts_tree_cursor_new(root);
        d->has_cursors = true;
    }
    ts_tree_cursor_reset(&d->walk, root);
    bool wants_tokens = (d->kinds >> KIND_ALGORITHM & 1) != 0;
    for (bool more = true; more;) {
        bool below = enter(d, ts_tree_cursor_current_node(&d->walk));
        if (below && ts_tree_cursor_goto_first_child(&d->walk))
            continue;
        const struct frame *frame = &d->frames.items[d->frames.count - 1];
        if (wants_tokens && frame->function != NO_FUNCTION)
            add_tokens(d, frame);
        leave(d);
        while (!ts_tree_cursor_goto_next_sibling(&d->walk)) {
            more = ts_tree_cursor_goto_parent(&d->walk);
            if (!more)
                break;
            leave(d);
        }
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if ((d->kinds >> kind & 1) != 0 && kind_detectors[kind].finish != NULL)
            kind_detectors[kind].finish(d);
    }
}
