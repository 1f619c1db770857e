/* SPDX-License-Identifier: MIT
 * wrap.h -- sentences for people, broken where a terminal of 80 columns ends.
 */
#ifndef COMMON_WRAP_H
#define COMMON_WRAP_H

#include <stdio.h>

enum { WRAP_COLUMNS = 79 };

/* Prints words and a line end; a line that would be too long goes on below, `indent` columns in.
 * `column` says how many columns of the first line are taken already. */
void wrap_print(FILE *out, unsigned column, unsigned indent, const char *text);

/* The same from the left edge, for a text that has figures in it. */
void wrap_format(FILE *out, unsigned indent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
