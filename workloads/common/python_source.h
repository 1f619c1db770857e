/* SPDX-License-Identifier: MIT
 * python_source.h -- what Python makes of the bytes of a source file before it parses them. */
#ifndef COMMON_PYTHON_SOURCE_H
#define COMMON_PYTHON_SOURCE_H

#include "text.h"

/* Takes a byte-order mark off and makes every line end an LF; the byte behind the text must be a zero
 * and stays one. false: the reason is `not valid UTF-8`, `encoding NAME` or `syntax error at line N`
 * (a zero byte). */
bool python_source_check(struct text *source, struct text *reason);

#endif
