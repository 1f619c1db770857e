/* SPDX-License-Identifier: MIT
 * kinds.h -- the parts of the eight kinds; dynamic.c has the table of them. */
#ifndef INSPECT_KINDS_H
#define INSPECT_KINDS_H

#include "parts.h"

void name_enter(struct detector *d, const struct frame *frame);
void type_enter(struct detector *d, const struct frame *frame);
void meaning_enter(struct detector *d, const struct frame *frame);
void position_enter(struct detector *d, const struct frame *frame);
void algorithm_finish(struct detector *d);

#endif
