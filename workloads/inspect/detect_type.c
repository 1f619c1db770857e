/* SPDX-License-Identifier: MIT
 * detect_type.c -- type names in annotations, isinstance calls and except clauses. */
#include "kinds.h"

#include <string.h>

const uint8_t type_wants[] = {NODE_FUNCTION, NODE_TYPED_PARAMETER, NODE_TYPED_DEFAULT, NODE_CALL,
                              NODE_EXCEPT,   NODE_EXCEPT_GROUP,    NODE_OTHER};

/* Notes `a.b.c` if the node is only names and dots. The names are met last to first. */
static void note_dotted(struct detector *d, TSNode place, uint32_t function) {
    uint32_t first = d->nodes.count;
    TSNode node = place;
    for (; kind_of(node) == NODE_ATTRIBUTE;
         node = without_parentheses(field_of(node, FIELD_OBJECT)))
        *array_push(&d->nodes) = field_of(node, FIELD_ATTRIBUTE);
    if (kind_of(node) == NODE_IDENTIFIER) {
        *array_push(&d->nodes) = node;
        d->text.count = 0;
        for (uint32_t i = d->nodes.count; i-- > first;) {
            uint32_t length;
            const char *text = text_of(d, d->nodes.items[i], &length);
            for (uint32_t j = 0; j < length; j++)
                *array_push(&d->text) = text[j];
            if (i > first)
                *array_push(&d->text) = '.';
        }
        add_fact(d, SORT_TYPE, ROLE_TYPE, strings_put(&d->strings, d->text.items, d->text.count),
                 place, function);
    }
    d->nodes.count = first;
}

/* Notes the names in an expression. A list of nodes still to look at stands in for recursion, so
 * that no source can exhaust the stack. */
static void note_names(struct detector *d, TSNode expression, uint32_t function) {
    uint32_t bottom = d->nodes.count;
    if (ts_node_is_null(expression) || function == NO_FUNCTION)
        return;
    *array_push(&d->nodes) = expression;
    while (d->nodes.count > bottom) {
        TSNode node = without_parentheses(d->nodes.items[--d->nodes.count]);
        switch (kind_of(node)) {
        case NODE_IDENTIFIER:
        case NODE_ATTRIBUTE:
            note_dotted(d, node, function);
            break;
        case NODE_BINARY:
            if (!text_is(d, field_of(node, FIELD_OPERATOR), "|"))
                break;
            push_children(d, node);
            break;
        case NODE_SUBSCRIPT:
            /* `*X[Y]` is starred as a whole; the grammar reads the star as X's. */
            if (kind_of(field_of(node, FIELD_VALUE)) != NODE_LIST_SPLAT)
                push_children(d, node);
            break;
        case NODE_TYPE:
        case NODE_GENERIC_TYPE:
        case NODE_TYPE_PARAMETER:
        case NODE_UNION_TYPE:
        case NODE_TUPLE:
        case NODE_LIST:
            push_children(d, node);
            break;
        default:
            break;
        }
    }
}

static void note_isinstance(struct detector *d, uint32_t function) {
    if (d->call.attribute || d->call.name_length != 10 ||
        memcmp(d->call.name, "isinstance", 10) != 0)
        return;
    uint32_t count = collect_arguments(d), positional = 0;
    for (uint32_t i = 0; i < count && positional < 2; i++) {
        const struct argument *argument = &d->arguments.items[i];
        if (argument->sort == ARGUMENT_STARRED)
            return;
        if (argument->sort == ARGUMENT_POSITIONAL && ++positional == 2)
            note_names(d, argument->value, function);
    }
}

static void note_except(struct detector *d, const struct frame *frame) {
    uint32_t first = d->nodes.count, count = push_children(d, frame->node);
    TSNode caught = d->nodes.items[first];
    d->nodes.count = first;
    if (count < 2)
        return; /* a bare `except:` has only its block */
    if (kind_of(caught) == NODE_AS_PATTERN)
        caught = ts_node_named_child(caught, 0);
    if (kind_of(caught) == NODE_LIST_SPLAT) /* `except *E` with a space before the star */
        caught = ts_node_named_child(caught, 0);
    note_names(d, caught, frame->function);
}

void type_enter(struct detector *d, const struct frame *frame) {
    switch (frame->kind) {
    case NODE_FUNCTION:
        note_names(d, field_of(frame->node, FIELD_RETURN_TYPE), frame->function);
        break;
    case NODE_TYPED_PARAMETER:
    case NODE_TYPED_DEFAULT:
        note_names(d, field_of(frame->node, FIELD_TYPE), frame->function);
        break;
    case NODE_CALL:
        note_isinstance(d, frame->function);
        break;
    default:
        note_except(d, frame);
        break;
    }
}
