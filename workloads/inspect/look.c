/* SPDX-License-Identifier: MIT
 * look.c -- what the kinds see of the tree: texts, children, calls and assignments taken apart. */
#include "detector.h"

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

uint32_t put_node(struct detector *d, TSNode node) {
    uint32_t length;
    const char *text = text_of(d, node, &length);
    return strings_put(&d->strings, text, length);
}

TSNode without_parentheses(TSNode node) {
    while (kind_of(node) == NODE_PARENTHESES) {
        uint32_t i = 0, count = ts_node_named_child_count(node);
        while (i < count && ts_node_is_extra(ts_node_named_child(node, i)))
            i++;
        if (i == count)
            break;
        node = ts_node_named_child(node, i);
    }
    return node;
}

uint32_t push_children(struct detector *d, TSNode node) {
    uint32_t before = d->nodes.count;
    ts_tree_cursor_reset(&d->look, node);
    if (ts_tree_cursor_goto_first_child(&d->look)) {
        do {
            TSNode child = ts_tree_cursor_current_node(&d->look);
            if (ts_node_is_named(child) && !ts_node_is_extra(child))
                *array_push(&d->nodes) = child;
        } while (ts_tree_cursor_goto_next_sibling(&d->look));
    }
    return d->nodes.count - before;
}

const struct frame *frame_above(const struct detector *d, uint32_t up) {
    return up < d->frames.count ? &d->frames.items[d->frames.count - 1 - up] : NULL;
}

/* A statement of the file itself: below the module there is at most what belongs to the statement,
 * its decorators or the node that wraps an assignment. */
bool at_top_level(const struct detector *d) {
    const struct frame *above = frame_above(d, 1);
    if (above != NULL && (above->kind == NODE_DECORATED || above->kind == NODE_STATEMENT))
        above = frame_above(d, 2);
    return above != NULL && above->kind == NODE_MODULE;
}

void take_call_apart(struct detector *d, TSNode node, struct call *out) {
    memset(out, 0, sizeof *out);
    out->callee = without_parentheses(field_of(node, FIELD_FUNCTION));
    out->arguments = field_of(node, FIELD_ARGUMENTS);
    enum node_kind kind = kind_of(out->callee);
    if (kind == NODE_IDENTIFIER) {
        out->name = text_of(d, out->callee, &out->name_length);
    } else if (kind == NODE_ATTRIBUTE) {
        out->object = without_parentheses(field_of(out->callee, FIELD_OBJECT));
        out->name = text_of(d, field_of(out->callee, FIELD_ATTRIBUTE), &out->name_length);
        out->attribute = true;
    }
}

uint32_t collect_arguments(struct detector *d) {
    d->arguments.count = 0;
    if (kind_of(d->call.arguments) != NODE_ARGUMENTS) { /* f(x for x in y) */
        *array_push(&d->arguments) =
            (struct argument){d->call.arguments, d->call.arguments, ARGUMENT_POSITIONAL};
        return 1;
    }
    uint32_t first = d->nodes.count, count = push_children(d, d->call.arguments);
    for (uint32_t i = first; i < first + count; i++) {
        struct argument argument = {d->nodes.items[i], d->nodes.items[i], ARGUMENT_POSITIONAL};
        switch (kind_of(argument.node)) {
        case NODE_LIST_SPLAT:
            argument.sort = ARGUMENT_STARRED;
            break;
        case NODE_DICTIONARY_SPLAT:
            argument.sort = ARGUMENT_DOUBLE_STARRED;
            break;
        case NODE_KEYWORD_ARGUMENT:
            argument.sort = ARGUMENT_KEYWORD;
            argument.value = field_of(argument.node, FIELD_VALUE);
            break;
        default:
            break;
        }
        *array_push(&d->arguments) = argument;
    }
    d->nodes.count = first;
    return count;
}

bool take_assignment_apart(struct detector *d, TSNode assignment) {
    const struct frame *above = frame_above(d, 1);
    if (above == NULL || above->kind == NODE_ASSIGNMENT)
        return false; /* a link of a chain, seen with its first */
    d->assignment.targets.count = 0;
    TSNode right = assignment;
    do {
        *array_push(&d->assignment.targets) = field_of(right, FIELD_LEFT);
        right = field_of(right, FIELD_RIGHT);
        if (ts_node_is_null(right))
            return false; /* x: T */
    } while (kind_of(right) == NODE_ASSIGNMENT);
    d->assignment.value = without_parentheses(right);
    return true;
}

TSNode plain_target(TSNode target) {
    /* `(x) = 1` is read as a tuple of one; a real one has a comma, which is a child more. */
    while (kind_of(target) == NODE_TUPLE_PATTERN && ts_node_child_count(target) == 3)
        target = ts_node_named_child(target, 0);
    return target;
}

struct fact *add_fact(struct detector *d, enum sort sort, enum role role, uint32_t key,
                      TSNode place, uint32_t function) {
    struct fact *fact = array_push(&d->facts);
    *fact = (struct fact){.key = key,
                          .line = ts_node_start_point(place).row + 1,
                          .start = ts_node_start_byte(place),
                          .function = function,
                          .sort = (uint8_t)sort,
                          .role = (uint8_t)role};
    return fact;
}
