/* SPDX-License-Identifier: MIT
 * kinds.h -- the parts of the eight kinds, one detect_<kind>.c each. */
#ifndef INSPECT_KINDS_H
#define INSPECT_KINDS_H

#include "detector.h"

extern const uint8_t name_wants[], type_wants[], meaning_wants[], position_wants[],
    algorithm_wants[], execution_wants[], timing_wants[], value_wants[];

void name_enter(struct detector *d, const struct frame *frame);
void type_enter(struct detector *d, const struct frame *frame);
void meaning_enter(struct detector *d, const struct frame *frame);
void position_enter(struct detector *d, const struct frame *frame);
void algorithm_enter(struct detector *d, const struct frame *frame);
void algorithm_finish(struct detector *d);
void execution_enter(struct detector *d, const struct frame *frame);
void execution_finish(struct detector *d);
void timing_enter(struct detector *d, const struct frame *frame);
void value_enter(struct detector *d, const struct frame *frame);
void value_finish(struct detector *d);

/* What position needs of every `from M import n as a`, whatever kinds are chosen. */
void note_imports(struct detector *d, const struct frame *frame, bool as_places, bool as_bindings);

#endif
