/* SPDX-License-Identifier: MIT
 * detect_meaning.c -- literals that are compared, returned or passed: what they stand for is known
 * only to the places that use them. */
#include "kinds.h"

const uint8_t meaning_wants[] = {NODE_INTEGER, NODE_FLOAT, NODE_STRING, NODE_OTHER};

/* Climbs over parentheses. Returns  the level of the first frame that is none. */
static uint32_t climb(const struct detector *d, uint32_t up) {
    while (frame_above(d, up)->kind == NODE_PARENTHESES)
        up++;
    return up;
}

/* Whether the expression below the frame `up` stands directly where a literal counts. */
static bool counts(const struct detector *d, uint32_t up) {
    const struct frame *above = frame_above(d, up);
    switch (above->kind) {
    case NODE_COMPARISON:
    case NODE_RETURN:
        return true;
    case NODE_KEYWORD_ARGUMENT:
        above = frame_above(d, ++up);
        return above->kind == NODE_ARGUMENTS && frame_above(d, up + 1)->kind == NODE_CALL;
    case NODE_ARGUMENTS:
        return frame_above(d, up + 1)->kind == NODE_CALL;
    default:
        return false;
    }
}

void meaning_enter(struct detector *d, const struct frame *frame) {
    if (frame->function == NO_FUNCTION)
        return;
    TSNode node = frame->node;
    uint32_t up = climb(d, 1);
    if (frame_above(d, up)->kind == NODE_UNARY && frame->kind != NODE_STRING) {
        node = frame_above(d, up)->node;
        if (d->source.items[ts_node_start_byte(node)] != '-')
            return;
        up = climb(d, up + 1);
    }
    if (!counts(d, up))
        return;
    struct literal literal = read_literal(d, node);
    if (literal.sort != LITERAL_NONE && !literal.trivial)
        add_fact(d, SORT_LITERAL, ROLE_LITERAL, literal.key, node, frame->function);
}
