/* SPDX-License-Identifier: MIT
 * numbers.h -- one text for each value that a number can be spelled as: 16, 0x10 and 1_6 are "16". */
#ifndef COMMON_NUMBERS_H
#define COMMON_NUMBERS_H

#include "text.h"

/* Integers of at most this many digits are written; Python reads no longer ones in decimal. */
enum { NUMBERS_DIGIT_LIMIT = 4300 };

/* Writes an integer spelled in decimal or behind 0x, 0o, 0b, with underscores: in decimal, or in
 * hexadecimal from 2^64 on. Zero has no sign. false: too long. */
bool numbers_print_integer(struct text *out, const char *digits, uint32_t length, bool negative);

/* Writes a float spelled in decimal, with underscores: the shortest of %.1g to %.17g that reads back,
 * with ".0" where it would look like an integer. false: too long. */
bool numbers_print_float(struct text *out, const char *digits, uint32_t length, bool negative);

#endif
