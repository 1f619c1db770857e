/* SPDX-License-Identifier: MIT
 * detect_execution.c -- protocols of two halves on one receiver in one function, in the wrong order
 * or without protection against an exception in between. A guess: what runs is not known here. */
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t execution_wants[] = {NODE_CALL, NODE_ASSIGNMENT, NODE_OTHER};

static const struct protocol {
    const char *first, *second;
} protocols[] = {{"open", "close"}, {"acquire", "release"}, {"start", "join"}, {"begin", "commit"}};

enum { PROTOCOL_COUNT = sizeof protocols / sizeof *protocols };

static bool same(const char *text, uint32_t length, const char *word) {
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* The key "receiver.open/close". */
static uint32_t protocol_key(struct detector *d, TSNode receiver, const struct protocol *protocol) {
    uint32_t length;
    const char *text = text_of(d, receiver, &length);
    d->text.count = 0;
    for (uint32_t i = 0; i < length; i++) {
        if (strchr(" \t\r\n\f", text[i]) == NULL)
            *array_push(&d->text) = text[i];
    }
    char tail[32];
    int tail_length = snprintf(tail, sizeof tail, ".%s/%s", protocol->first, protocol->second);
    for (int i = 0; i < tail_length; i++)
        *array_push(&d->text) = tail[i];
    return strings_put(&d->strings, d->text.items, d->text.count);
}

static bool is_with_item(const struct detector *d) {
    for (uint32_t up = 1;; up++) {
        const struct frame *above = frame_above(d, up);
        if (above == NULL || above->kind == NODE_WITH_ITEM)
            return above != NULL;
        if (above->kind != NODE_PARENTHESES && above->kind != NODE_AS_PATTERN)
            return false;
    }
}

static void add_half(struct detector *d, const struct frame *frame, uint32_t key, TSNode call,
                     bool second) {
    *array_push(&d->halves) = (struct half){
        .key = key,
        .function = frame->function,
        .line = ts_node_start_point(call).row + 1,
        .start = ts_node_start_byte(call),
        .second = second,
        .in_finally = frame->in_finally,
        .is_with_item = frame->kind == NODE_CALL && is_with_item(d),
    };
}

/* `x = open(...)` begins what x.close() ends. */
static void note_assignment(struct detector *d, const struct frame *frame) {
    struct call call;
    if (kind_of(d->assignment.value) != NODE_CALL)
        return;
    take_call_apart(d, d->assignment.value, &call);
    if (call.name == NULL || call.attribute || !same(call.name, call.name_length, "open"))
        return;
    for (uint32_t i = 0; i < d->assignment.targets.count; i++) {
        TSNode target = plain_target(d->assignment.targets.items[i]);
        enum node_kind kind = kind_of(target);
        if (kind == NODE_IDENTIFIER || kind == NODE_ATTRIBUTE || kind == NODE_SUBSCRIPT)
            add_half(d, frame, protocol_key(d, target, &protocols[0]), d->assignment.value, false);
    }
}

void execution_enter(struct detector *d, const struct frame *frame) {
    if (frame->function == NO_FUNCTION)
        return;
    if (frame->kind == NODE_ASSIGNMENT) {
        note_assignment(d, frame);
        return;
    }
    if (!d->call.attribute)
        return;
    enum node_kind object = kind_of(d->call.object);
    if (object == NODE_STRING || object == NODE_CONCATENATED)
        return; /* ", ".join(...) */
    for (int i = 0; i < PROTOCOL_COUNT; i++) {
        bool second = same(d->call.name, d->call.name_length, protocols[i].second);
        if (second || same(d->call.name, d->call.name_length, protocols[i].first))
            add_half(d, frame, protocol_key(d, d->call.object, &protocols[i]), frame->node, second);
    }
}

static int by_group(const void *a, const void *b) {
    const struct half *x = a, *y = b;
    if (x->function != y->function)
        return x->function < y->function ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Judges the halves of one receiver in one function, in the order of the file. */
static bool is_finding(const struct half *halves, uint32_t count) {
    bool first = false, second = false, guarded = false;
    for (uint32_t i = 0; i < count; i++) {
        first |= !halves[i].second;
        second |= halves[i].second;
        guarded |= halves[i].second ? halves[i].in_finally : halves[i].is_with_item;
    }
    return first && second && (halves[0].second || !guarded);
}

void execution_finish(struct detector *d) {
    if (d->halves.count > 0)
        qsort(d->halves.items, d->halves.count, sizeof *d->halves.items, by_group);
    for (uint32_t from = 0, to; from < d->halves.count; from = to) {
        const struct half *halves = d->halves.items;
        for (to = from + 1; to < d->halves.count && halves[to].key == halves[from].key &&
                            halves[to].function == halves[from].function;)
            to++;
        for (uint32_t i = from; i < to && is_finding(halves + from, to - from); i++)
            *array_push(&d->facts) = (struct fact){
                .key = halves[i].key,
                .line = halves[i].line,
                .start = halves[i].start,
                .function = halves[i].function,
                .sort = SORT_PROTOCOL,
                .role = halves[i].second ? ROLE_SECOND : ROLE_FIRST,
            };
    }
}
