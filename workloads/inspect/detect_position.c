/* SPDX-License-Identifier: MIT
 * detect_position.c -- long lists of positional arguments, and tuples returned and unpacked. Which
 * function a call means is resolved when all files are read. */
#include "kinds.h"

enum { ARGUMENT_MINIMUM = 4, ELEMENT_MINIMUM = 3 };

const uint8_t position_wants[] = {NODE_FUNCTION,   NODE_CALL,        NODE_RETURN,
                                  NODE_ASSIGNMENT, NODE_IMPORT_FROM, NODE_FUTURE_IMPORT,
                                  NODE_OTHER};

static uint32_t count_parameters(struct detector *d, TSNode function) {
    uint32_t first = d->nodes.count, positional = 0;
    uint32_t count = push_children(d, field_of(function, FIELD_PARAMETERS));
    for (uint32_t i = first; i < first + count; i++) {
        TSNode node = d->nodes.items[i];
        if (kind_of(node) == NODE_TYPED_PARAMETER)
            node = ts_node_named_child(node, 0);
        enum node_kind kind = kind_of(node);
        if (kind == NODE_SPLAT_PATTERN || kind == NODE_KEYWORD_SEPARATOR ||
            kind == NODE_DICTIONARY_SPLAT_PATTERN)
            break; /* what follows is by keyword only */
        positional += kind != NODE_POSITIONAL_SEPARATOR;
    }
    d->nodes.count = first;
    return positional;
}

static uint32_t count_elements(struct detector *d, TSNode node) {
    uint32_t first = d->nodes.count, count = push_children(d, node);
    d->nodes.count = first;
    return count;
}

static void note_call(struct detector *d, const struct frame *frame) {
    if (d->call.name == NULL || ts_node_named_child_count(d->call.arguments) < ARGUMENT_MINIMUM)
        return;
    uint32_t count = collect_arguments(d), positional = 0;
    for (uint32_t i = 0; i < count; i++)
        positional += d->arguments.items[i].sort == ARGUMENT_POSITIONAL;
    if (positional < ARGUMENT_MINIMUM)
        return;
    uint32_t key = strings_put(&d->strings, d->call.name, d->call.name_length);
    add_fact(d, SORT_ARGUMENTS, ROLE_CALL, key, frame->node, frame->function)->plain =
        !d->call.attribute;
}

static void note_return(struct detector *d, const struct frame *frame) {
    if (frame->function == NO_FUNCTION || ts_node_named_child_count(frame->node) == 0)
        return;
    uint32_t first = d->nodes.count, count = push_children(d, frame->node);
    TSNode value = count > 0 ? without_parentheses(d->nodes.items[first]) : frame->node;
    d->nodes.count = first;
    enum node_kind kind = kind_of(value);
    if ((kind == NODE_TUPLE || kind == NODE_EXPRESSION_LIST) &&
        count_elements(d, value) >= ELEMENT_MINIMUM)
        add_fact(d, SORT_RESULTS, ROLE_RETURN, d->functions.items[frame->function].name,
                 frame->node, frame->function);
}

static void note_unpack(struct detector *d, const struct frame *frame) {
    struct call call;
    if (kind_of(d->assignment.value) != NODE_CALL)
        return;
    take_call_apart(d, d->assignment.value, &call);
    if (call.name == NULL)
        return;
    for (uint32_t i = 0; i < d->assignment.targets.count; i++) {
        TSNode target = plain_target(d->assignment.targets.items[i]);
        enum node_kind kind = kind_of(target);
        if ((kind == NODE_PATTERN_LIST || kind == NODE_TUPLE_PATTERN ||
             kind == NODE_LIST_PATTERN) &&
            count_elements(d, target) >= ELEMENT_MINIMUM) {
            uint32_t key = strings_put(&d->strings, call.name, call.name_length);
            add_fact(d, SORT_RESULTS, ROLE_UNPACK, key, frame->node, frame->function)->plain =
                !call.attribute;
        }
    }
}

void position_enter(struct detector *d, const struct frame *frame) {
    switch (frame->kind) {
    case NODE_FUNCTION:
        if (count_parameters(d, frame->node) >= ARGUMENT_MINIMUM)
            add_fact(d, SORT_ARGUMENTS, ROLE_DEFINITION, d->functions.items[frame->function].name,
                     frame->node, frame->function);
        break;
    case NODE_CALL:
        note_call(d, frame);
        break;
    case NODE_RETURN:
        note_return(d, frame);
        break;
    case NODE_ASSIGNMENT:
        note_unpack(d, frame);
        break;
    default:
        note_imports(d, frame, false, true);
        break;
    }
}
