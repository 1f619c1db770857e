/* SPDX-License-Identifier: MIT
 * detect_algorithm.c -- functions whose bodies are the same tokens.
 *
 * The walk hashes every token; a body is told by the number of its tokens and 128 bits over their
 * hashes. Two different bodies that agree in both are taken for equal: with a million bodies the
 * odds are below one in 10^20. */
#include "kinds.h"

#include <string.h>

enum { TOKEN_MINIMUM = 30 };

const uint8_t algorithm_wants[] = {NODE_OTHER};

/* The walk notes tokens whenever this kind is chosen; there is nothing to do at a node. */
void algorithm_enter(struct detector *d, const struct frame *frame) {
    (void)d;
    (void)frame;
}

static void note_body(struct detector *d, uint32_t number) {
    const struct function *function = &d->functions.items[number];
    uint32_t last = function->last_token;
    while (last > function->first_token && d->tokens.items[last - 1].is_semicolon)
        last--;
    uint32_t count = last - function->first_token;
    if (count < TOKEN_MINIMUM)
        return;
    uint64_t one = 1, two = 2;
    for (uint32_t i = function->first_token; i < last; i++) {
        one = (one ^ d->tokens.items[i].hash) * UINT64_C(0xff51afd7ed558ccd);
        one ^= one >> 32;
        two = (two + d->tokens.items[i].hash) * UINT64_C(0xc4ceb9fe1a85ec53);
        two ^= two >> 29;
    }
    char body[sizeof count + sizeof one + sizeof two];
    memcpy(body, &count, sizeof count);
    memcpy(body + sizeof count, &one, sizeof one);
    memcpy(body + sizeof count + sizeof one, &two, sizeof two);
    *array_push(&d->facts) = (struct fact){
        .key = strings_put(&d->strings, body, sizeof body),
        .module = function->name,
        .line = function->line,
        .start = function->start,
        .function = number,
        .sort = SORT_BODY,
        .role = ROLE_FUNCTION,
    };
}

void algorithm_finish(struct detector *d) {
    for (uint32_t i = 0; i < d->functions.count; i++)
        note_body(d, i);
}
