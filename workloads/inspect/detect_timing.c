/* SPDX-License-Identifier: MIT
 * detect_timing.c -- the same delay written down in several functions. A guess: they may be equal by
 * chance. */
#include "kinds.h"

#include <string.h>

const uint8_t timing_wants[] = {NODE_CALL, NODE_OTHER};

static bool calls(const struct detector *d, const char *name) {
    return strlen(name) == d->call.name_length &&
           memcmp(d->call.name, name, d->call.name_length) == 0;
}

static void note_delay(struct detector *d, TSNode value, uint32_t function) {
    struct literal literal = read_literal(d, value);
    if (literal.sort == LITERAL_INTEGER || literal.sort == LITERAL_FLOAT)
        add_fact(d, SORT_DELAY, ROLE_DELAY, real_number_key(d, &literal),
                 without_parentheses(value), function);
}

void timing_enter(struct detector *d, const struct frame *frame) {
    if (frame->function == NO_FUNCTION || d->call.name == NULL)
        return;
    bool sleeps = calls(d, "sleep") || (d->call.attribute && calls(d, "settimeout"));
    bool waits = d->call.attribute && (calls(d, "wait") || calls(d, "join"));
    if (!sleeps && !waits)
        return;
    uint32_t count = collect_arguments(d), positional = 0;
    const struct argument *arguments = d->arguments.items, *only = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i].sort == ARGUMENT_POSITIONAL || arguments[i].sort == ARGUMENT_STARRED) {
            positional++;
            only = &arguments[i];
        } else if (waits && arguments[i].sort == ARGUMENT_KEYWORD &&
                   text_is(d, field_of(arguments[i].node, FIELD_NAME), "timeout")) {
            note_delay(d, arguments[i].value, frame->function);
        }
    }
    if (positional == 1 && only->sort == ARGUMENT_POSITIONAL && (waits || count == 1))
        note_delay(d, only->value, frame->function);
}
