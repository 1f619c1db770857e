/* SPDX-License-Identifier: MIT
 * look.c -- what the kinds see of the tree: texts, children, calls and assignments taken apart. */
#include "parts.h"

#include <string.h>

const char *text_of(const struct detector *d, TSNode node, uint32_t *length) {
    uint32_t start = ts_node_start_byte(node);
    *length = ts_node_end_byte(node) - start;
    return d->source.items + start;
}

bool text_is(const struct detector *d, TSNode node, const char *text) {
    uint32_t length;
    const char *own = text_of(d, node, &length);
    return length == strlen(text) && memcmp(own, text, length) == 0;
}

TSNode without_parentheses(TSNode node) {
    while (!ts_node_is_null(node) && kind_of(node) == NODE_PARENTHESES) {
        uint32_t i = 0, count = ts_node_named_child_count(node);
        while (i < count && ts_node_is_extra(ts_node_named_child(node, i)))
            i++;
        if (i == count)
            break;
        node = ts_node_named_child(node, i);
    }
    return node;
}

uint32_t put_node(struct detector *d, TSNode node) {
    uint32_t length;
    const char *text = text_of(d, node, &length);
    return strings_put(&d->strings, text, length);
}

uint32_t put_text(struct detector *d) {
    return strings_put(&d->strings, d->text.items, d->text.count);
}

void add_compact(struct detector *d, TSNode node) {
    uint32_t length;
    const char *text = text_of(d, node, &length);
    for (uint32_t i = 0; i < length; i++) {
        if (strchr(" \t\r\n\f", text[i]) == NULL)
            *array_push(&d->text) = text[i];
    }
}

uint32_t push_children(struct detector *d, TSNode node) {
    uint32_t before = d->nodes.count;
    ts_tree_cursor_reset(&d->look, node);
    for (bool more = ts_tree_cursor_goto_first_child(&d->look); more;
         more = ts_tree_cursor_goto_next_sibling(&d->look)) {
        TSNode child = ts_tree_cursor_current_node(&d->look);
        if (ts_node_is_named(child) && !ts_node_is_extra(child))
            *array_push(&d->nodes) = child;
    }
    return d->nodes.count - before;
}

uint32_t count_children(struct detector *d, TSNode node) {
    uint32_t count = push_children(d, node);
    d->nodes.count -= count;
    return count;
}

const struct frame *frame_above(const struct detector *d, uint32_t up) {
    return up < d->frames.count ? &d->frames.items[d->frames.count - 1 - up] : NULL;
}

bool at_top_level(const struct detector *d) {
    const struct frame *above = frame_above(d, 1);
    if (above != NULL && (above->kind == NODE_DECORATED || above->kind == NODE_STATEMENT))
        above = frame_above(d, 2);
    return above != NULL && above->kind == NODE_MODULE;
}

struct call take_call_apart(const struct detector *d, TSNode node) {
    struct call call = {.callee = without_parentheses(field_of(node, FIELD_function)),
                        .arguments = field_of(node, FIELD_arguments)};
    call.attribute = kind_of(call.callee) == NODE_ATTRIBUTE;
    if (kind_of(call.callee) == NODE_IDENTIFIER) {
        call.name = text_of(d, call.callee, &call.name_length);
    } else if (call.attribute) {
        call.object = without_parentheses(field_of(call.callee, FIELD_object));
        call.name = text_of(d, field_of(call.callee, FIELD_attribute), &call.name_length);
    }
    return call;
}

bool calls(const struct call *call, const char *name) {
    return call->name != NULL && strlen(name) == call->name_length &&
           memcmp(call->name, name, call->name_length) == 0;
}

uint32_t collect_arguments(struct detector *d) {
    uint32_t first = d->nodes.count, positional = 0;
    if (kind_of(d->call.arguments) == NODE_ARGUMENTS)
        push_children(d, d->call.arguments);
    else
        *array_push(&d->nodes) = d->call.arguments; /* f(x for x in y) */
    d->arguments.count = 0;
    for (uint32_t i = first; i < d->nodes.count; i++) {
        struct argument *argument = array_push(&d->arguments);
        enum node_kind kind = kind_of(d->nodes.items[i]);
        argument->node = argument->value = d->nodes.items[i];
        argument->starred = kind == NODE_STARRED;
        argument->keyword = kind == NODE_KEYWORD_ARGUMENT;
        argument->positional = !argument->starred && !argument->keyword && kind != NODE_TWO_STARRED;
        if (argument->keyword)
            argument->value = field_of(argument->node, FIELD_value);
        positional += argument->positional || argument->starred;
    }
    d->nodes.count = first;
    return positional;
}

/* A target without its parentheses: `(x) = 1` is read as a tuple of one; a real one has a comma. */
static TSNode plain_target(TSNode target) {
    while (kind_of(target) == NODE_TUPLE_PATTERN && ts_node_child_count(target) == 3)
        target = ts_node_named_child(target, 0);
    return target;
}

bool take_assignment_apart(struct detector *d, TSNode assignment) {
    const struct frame *above = frame_above(d, 1);
    if (above == NULL || above->kind == NODE_ASSIGNMENT)
        return false; /* seen with the first of the chain */
    d->targets.count = 0;
    for (d->value = assignment; kind_of(d->value) == NODE_ASSIGNMENT;) {
        *array_push(&d->targets) = plain_target(field_of(d->value, FIELD_left));
        d->value = field_of(d->value, FIELD_right);
        if (ts_node_is_null(d->value))
            return false; /* x: T */
    }
    d->value = without_parentheses(d->value);
    return true;
}

struct fact *note(struct detector *d, enum sort sort, enum role role, uint32_t key, TSNode place) {
    struct fact *fact = array_push(&d->facts);
    *fact = (struct fact){.key = key,
                          .line = ts_node_start_point(place).row + 1,
                          .start = ts_node_start_byte(place),
                          .function = d->frames.count > 0 ? frame_above(d, 0)->function : NONE,
                          .sort = sort,
                          .role = role};
    return fact;
}
