/* SPDX-License-Identifier: MIT
 * detect_value.c -- values that several places must share: constants repeated in files, globals,
 * mutable defaults, objects compared by identity. A guess: a local name may hide the module's. */
#include "kinds.h"

#include <stdlib.h>
#include <string.h>

const uint8_t value_wants[] = {NODE_ASSIGNMENT,    NODE_GLOBAL,     NODE_DEFAULT_PARAMETER,
                               NODE_TYPED_DEFAULT, NODE_COMPARISON, NODE_OTHER};

static void add_use(struct detector *d, const struct frame *frame, TSNode name, TSNode place,
                    enum role role, bool is_display) {
    *array_push(&d->names) = (struct name_use){
        .name = put_node(d, name),
        .function = frame->function,
        .line = ts_node_start_point(place).row + 1,
        .start = ts_node_start_byte(place),
        .role = (uint8_t)role,
        .is_display = is_display,
    };
}

static bool is_constant_name(const char *text, uint32_t length) {
    bool letter = false;
    for (uint32_t i = 0; i < length; i++) {
        bool capital = text[i] >= 'A' && text[i] <= 'Z';
        if (!capital && text[i] != '_' && (text[i] < '0' || text[i] > '9'))
            return false;
        letter |= capital;
    }
    return letter && length >= 2;
}

/* A new list, dict or set: a display, a comprehension, or a call of the type without arguments. */
static bool is_display(struct detector *d, TSNode value) {
    struct call call;
    switch (kind_of(value)) {
    case NODE_LIST:
    case NODE_DICTIONARY:
    case NODE_SET:
    case NODE_LIST_COMPREHENSION:
    case NODE_DICTIONARY_COMPREHENSION:
    case NODE_SET_COMPREHENSION:
        return true;
    case NODE_CALL:
        take_call_apart(d, value, &call);
        if (call.name == NULL || call.attribute || kind_of(call.arguments) != NODE_ARGUMENTS)
            return false;
        uint32_t first = d->nodes.count, count = push_children(d, call.arguments);
        d->nodes.count = first;
        return count == 0 && (text_is(d, call.callee, "list") || text_is(d, call.callee, "dict") ||
                              text_is(d, call.callee, "set"));
    default:
        return false;
    }
}

static void note_constant(struct detector *d, const struct frame *frame, TSNode target) {
    uint32_t length;
    const char *name = text_of(d, target, &length);
    struct literal literal;
    if (!is_constant_name(name, length))
        return;
    literal = read_literal(d, d->assignment.value);
    if (literal.sort == LITERAL_NONE)
        return;
    const char *text = strings_text(&d->strings, literal.key);
    uint32_t text_length = d->strings.entries.items[literal.key].length;
    d->text.count = 0;
    for (uint32_t i = 0; i < length; i++)
        *array_push(&d->text) = name[i];
    for (const char *c = " = "; *c != '\0'; c++)
        *array_push(&d->text) = *c;
    for (uint32_t i = 0; i < text_length; i++)
        *array_push(&d->text) = text[i];
    add_fact(d, SORT_CONSTANT, ROLE_CONSTANT,
             strings_put(&d->strings, d->text.items, d->text.count), frame->node, frame->function);
}

static void note_bindings(struct detector *d, const struct frame *frame) {
    if (!at_top_level(d))
        return;
    bool display = is_display(d, d->assignment.value);
    uint32_t before = d->names.count;
    for (uint32_t i = 0; i < d->assignment.targets.count; i++) {
        TSNode target = plain_target(d->assignment.targets.items[i]);
        if (kind_of(target) != NODE_IDENTIFIER)
            continue;
        add_use(d, frame, target, frame->node, ROLE_BINDING, display);
        for (uint32_t j = before; j + 1 < d->names.count; j++) {
            if (d->names.items[j].name == d->names.items[d->names.count - 1].name) {
                d->names.count--; /* `a = a = 1` binds once */
                break;
            }
        }
        if (d->assignment.targets.count == 1)
            note_constant(d, frame, target);
    }
}

static void note_globals(struct detector *d, const struct frame *frame) {
    if (frame->function == NO_FUNCTION)
        return;
    uint32_t first = d->nodes.count, count = push_children(d, frame->node);
    for (uint32_t i = first; i < first + count; i++)
        add_use(d, frame, d->nodes.items[i], d->nodes.items[i], ROLE_GLOBAL, false);
    d->nodes.count = first;
}

/* Operands next to an `is` or `is not`, each once. */
static void note_identities(struct detector *d, const struct frame *frame) {
    TSNode before = frame->node, noted = frame->node;
    bool after_is = false;
    ts_tree_cursor_reset(&d->look, frame->node);
    for (bool more = ts_tree_cursor_goto_first_child(&d->look); more;
         more = ts_tree_cursor_goto_next_sibling(&d->look)) {
        TSNode node = ts_tree_cursor_current_node(&d->look);
        enum node_kind kind = kind_of(node);
        if (ts_node_is_extra(node))
            continue;
        if (!ts_node_is_named(node)) {
            after_is = kind == NODE_IS || kind == NODE_IS_NOT;
            if (after_is && kind_of(before) == NODE_IDENTIFIER && !ts_node_eq(before, noted))
                add_use(d, frame, before, before, ROLE_IDENTITY, false);
            continue;
        }
        before = without_parentheses(node);
        if (after_is && kind_of(before) == NODE_IDENTIFIER) {
            add_use(d, frame, before, before, ROLE_IDENTITY, false);
            noted = before;
        }
    }
}

void value_enter(struct detector *d, const struct frame *frame) {
    switch (frame->kind) {
    case NODE_ASSIGNMENT:
        note_bindings(d, frame);
        break;
    case NODE_GLOBAL:
        note_globals(d, frame);
        break;
    case NODE_COMPARISON:
        note_identities(d, frame);
        break;
    default: {
        TSNode value = without_parentheses(field_of(frame->node, FIELD_VALUE));
        if (kind_of(value) == NODE_IDENTIFIER)
            add_use(d, frame, value, value, ROLE_DEFAULT, false);
        break;
    }
    }
}

/* Brings the uses of a name together with its bindings: marks say for each string what there is. */
void value_finish(struct detector *d) {
    static const struct pairing {
        enum sort sort;
        enum role role;
        bool displays_only;
    } pairings[] = {{SORT_GLOBAL, ROLE_GLOBAL, false},
                    {SORT_DEFAULT, ROLE_DEFAULT, true},
                    {SORT_IDENTITY, ROLE_IDENTITY, false}};
    enum { USED = 1, BOUND = 2 };

    for (size_t p = 0; p < sizeof pairings / sizeof *pairings; p++) {
        const struct pairing *pairing = &pairings[p];
        d->marks.count = 0;
        for (uint32_t i = 0; i < d->strings.entries.count; i++)
            *array_push(&d->marks) = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (uint32_t i = 0; i < d->names.count; i++) {
                const struct name_use *use = &d->names.items[i];
                bool binding =
                    use->role == ROLE_BINDING && (use->is_display || !pairing->displays_only);
                if (!binding && use->role != pairing->role)
                    continue;
                uint8_t *mark = &d->marks.items[use->name];
                if (pass == 0)
                    *mark |= binding ? BOUND : USED;
                else if (*mark == (USED | BOUND))
                    *array_push(&d->facts) = (struct fact){.key = use->name,
                                                           .line = use->line,
                                                           .start = use->start,
                                                           .function = use->function,
                                                           .sort = (uint8_t)pairing->sort,
                                                           .role = use->role};
            }
        }
    }
}
