/* SPDX-License-Identifier: MIT
 * dynamic.c -- the kinds that what runs decides: execution, timing, value. They guess, and are labelled
 * heuristic. At the end the table of all eight kinds.
 *
 * To add to a kind: name the nodes it wants to see, and note facts when one is entered. */
#include "parts.h"

/* ---- Execution: two halves of a protocol on one receiver in one function ------------------------ */

static const char *const protocols[][2] = {
    {"open", "close"}, {"acquire", "release"}, {"start", "join"}, {"begin", "commit"}};

enum { PROTOCOL_COUNT = sizeof protocols / sizeof *protocols };

static void note_half(struct detector *d, TSNode receiver, int protocol, TSNode call, bool second,
                      bool guarded) {
    d->text.count = 0;
    add_compact(d, receiver);
    text_print(&d->text, ".%s/%s", protocols[protocol][0], protocols[protocol][1]);
    note(d, SORT_PROTOCOL, second ? ROLE_second : ROLE_first, put_text(d), call)->guarded = guarded;
}

static bool is_with_item(const struct detector *d) {
    uint32_t up = 1;
    while (frame_above(d, up)->kind == NODE_PARENTHESES ||
           frame_above(d, up)->kind == NODE_AS_PATTERN)
        up++;
    return frame_above(d, up)->kind == NODE_WITH_ITEM;
}

static void execution_enter(struct detector *d, const struct frame *frame) {
    if (frame->function == NONE)
        return;
    if (frame->kind == NODE_ASSIGNMENT) { /* `x = open(...)` begins what x.close() ends */
        struct call call = {.name = NULL};
        if (kind_of(d->value) == NODE_CALL)
            call = take_call_apart(d, d->value);
        for (uint32_t i = 0; i < d->targets.count && !call.attribute && calls(&call, "open"); i++) {
            enum node_kind kind = kind_of(d->targets.items[i]);
            if (kind == NODE_IDENTIFIER || kind == NODE_ATTRIBUTE || kind == NODE_SUBSCRIPT)
                note_half(d, d->targets.items[i], 0, d->value, false, false);
        }
        return;
    }
    enum node_kind object = d->call.attribute ? kind_of(d->call.object) : NODE_STRING;
    for (int i = 0; i < PROTOCOL_COUNT && object != NODE_STRING && object != NODE_JOINED_STRING;
         i++) {
        if (calls(&d->call, protocols[i][1]))
            note_half(d, d->call.object, i, frame->node, true, frame->in_finally);
        else if (calls(&d->call, protocols[i][0]))
            note_half(d, d->call.object, i, frame->node, false, is_with_item(d));
    }
}

/* ---- Timing: the same delay written down in several functions ------------------------------------ */

static void timing_enter(struct detector *d, const struct frame *frame) {
    bool sleeps = calls(&d->call, "sleep") || (d->call.attribute && calls(&d->call, "settimeout"));
    bool waits = d->call.attribute && (calls(&d->call, "wait") || calls(&d->call, "join"));
    if (frame->function == NONE || (!sleeps && !waits))
        return;
    uint32_t positional = collect_arguments(d);
    for (uint32_t i = 0; i < d->arguments.count; i++) {
        const struct argument *argument = &d->arguments.items[i];
        bool only = argument->positional && positional == 1 && (waits || d->arguments.count == 1);
        bool timeout = argument->keyword && waits &&
                       text_is(d, field_of(argument->node, FIELD_name), "timeout");
        if (!only && !timeout)
            continue;
        struct literal literal = read_literal(d, argument->value);
        if (literal.sort == AN_INTEGER || literal.sort == A_FLOAT)
            note(d, SORT_DELAY, ROLE_delay, real_number_key(d, &literal),
                 without_parentheses(argument->value));
    }
}

/* ---- Value: constants repeated in files, globals, mutable defaults, identities -------------------- */

static bool is_constant_name(const char *text, uint32_t length) {
    bool letter = false, good = length >= 2;
    for (uint32_t i = 0; i < length; i++) {
        bool capital = text[i] >= 'A' && text[i] <= 'Z';
        good &= capital || text[i] == '_' || (text[i] >= '0' && text[i] <= '9');
        letter |= capital;
    }
    return good && letter;
}

/* A new list, dict or set: a display, a comprehension, or a call of the type without arguments. */
static bool is_display(struct detector *d, TSNode value) {
    enum node_kind kind = kind_of(value);
    if (kind != NODE_CALL)
        return kind >= NODE_LIST &&
               kind <= NODE_DICT_COMPREHENSION; /* grammar.def has them in a row */
    struct call call = take_call_apart(d, value);
    return !call.attribute &&
           (calls(&call, "list") || calls(&call, "dict") || calls(&call, "set")) &&
           kind_of(call.arguments) == NODE_ARGUMENTS && count_children(d, call.arguments) == 0;
}

static void note_constant(struct detector *d, TSNode target, TSNode statement) {
    uint32_t length;
    const char *name = text_of(d, target, &length);
    if (!is_constant_name(name, length))
        return;
    struct literal literal = read_literal(d, d->value);
    if (literal.sort == NO_LITERAL)
        return;
    d->text.count = 0;
    text_print(&d->text, "%.*s = %s", (int)length, name, strings_text(&d->strings, literal.key));
    note(d, SORT_CONSTANT, ROLE_constant, put_text(d), statement);
}

/* A top-level assignment binds its names for three rules; those that nobody uses come to nothing. */
static void note_bindings(struct detector *d, TSNode statement) {
    bool display = is_display(d, d->value);
    for (uint32_t i = 0; i < d->targets.count; i++) {
        if (kind_of(d->targets.items[i]) != NODE_IDENTIFIER)
            continue;
        uint32_t name = put_node(d, d->targets.items[i]);
        note(d, SORT_GLOBAL, ROLE_binding, name, statement);
        note(d, SORT_IDENTITY, ROLE_binding, name, statement);
        if (display)
            note(d, SORT_DEFAULT, ROLE_binding, name, statement);
        if (d->targets.count == 1)
            note_constant(d, d->targets.items[i], statement);
    }
}

/* Operands next to an `is` or `is not`; one between two of them counts once (groups.c). */
static void note_identities(struct detector *d, TSNode comparison) {
    TSNode before = comparison;
    bool after_is = false;
    ts_tree_cursor_reset(&d->look, comparison);
    for (bool more = ts_tree_cursor_goto_first_child(&d->look); more;
         more = ts_tree_cursor_goto_next_sibling(&d->look)) {
        TSNode node = ts_tree_cursor_current_node(&d->look);
        if (ts_node_is_extra(node))
            continue;
        bool operand = ts_node_is_named(node);
        bool is = kind_of(node) == NODE_IS || kind_of(node) == NODE_IS_NOT;
        if (operand)
            before = without_parentheses(node);
        if ((operand ? after_is : is) && kind_of(before) == NODE_IDENTIFIER)
            note(d, SORT_IDENTITY, ROLE_identity, put_node(d, before), before);
        after_is = is;
    }
}

static void value_enter(struct detector *d, const struct frame *frame) {
    if (frame->kind == NODE_ASSIGNMENT) {
        if (at_top_level(d))
            note_bindings(d, frame->node);
    } else if (frame->kind == NODE_COMPARISON) {
        note_identities(d, frame->node);
    } else if (frame->kind == NODE_GLOBAL) {
        uint32_t first = d->nodes.count;
        if (frame->function != NONE)
            push_children(d, frame->node);
        for (uint32_t i = first; i < d->nodes.count; i++)
            note(d, SORT_GLOBAL, ROLE_global, put_node(d, d->nodes.items[i]), d->nodes.items[i]);
        d->nodes.count = first;
    } else {
        TSNode value = without_parentheses(field_of(frame->node, FIELD_value));
        if (kind_of(value) == NODE_IDENTIFIER)
            note(d, SORT_DEFAULT, ROLE_default, put_node(d, value), value);
    }
}

/* ---- The table, weak to strong -------------------------------------------------------------------- */

const struct kind_detector kind_detectors[KIND_COUNT] = {
    [NAME] = {"name", 1, false, name_enter, NULL},
    [TYPE] = {"type", 2, false, type_enter, NULL},
    [MEANING] = {"meaning", 3, false, meaning_enter, NULL},
    [POSITION] = {"position", 4, false, position_enter, NULL},
    [ALGORITHM] = {"algorithm", 5, false, NULL, algorithm_finish},
    [EXECUTION] = {"execution", 6, true, execution_enter, NULL},
    [TIMING] = {"timing", 7, true, timing_enter, NULL},
    [VALUE] = {"value", 8, true, value_enter, NULL},
};

const uint8_t kind_wants[KIND_COUNT][8] = {
    [NAME] = {NODE_FUNCTION, NODE_CLASS, NODE_IMPORT_FROM, NODE_FUTURE_IMPORT},
    [TYPE] = {NODE_FUNCTION, NODE_TYPED_PARAMETER, NODE_TYPED_DEFAULT, NODE_CALL, NODE_EXCEPT,
              NODE_EXCEPT_GROUP},
    [MEANING] = {NODE_INTEGER, NODE_FLOAT, NODE_STRING},
    [POSITION] = {NODE_FUNCTION, NODE_CALL, NODE_RETURN, NODE_ASSIGNMENT, NODE_IMPORT_FROM,
                  NODE_FUTURE_IMPORT},
    [EXECUTION] = {NODE_CALL, NODE_ASSIGNMENT},
    [TIMING] = {NODE_CALL},
    [VALUE] = {NODE_ASSIGNMENT, NODE_GLOBAL, NODE_DEFAULT_PARAMETER, NODE_TYPED_DEFAULT,
               NODE_COMPARISON},
};
