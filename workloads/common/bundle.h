/* SPDX-License-Identifier: MIT
 * bundle.h -- a file, or all files of a folder, as one text that knows what came from where. */
#ifndef COMMON_BUNDLE_H
#define COMMON_BUNDLE_H

#include "text.h"

struct bundle {
    ARRAY(struct bundle_part) parts; /* by path, bytewise */
    struct text text; /* all of them, one after another, each with a line end behind */
};

struct bundle_part {
    char *name, *path; /* name: the prefix, and the file's name without the suffix */
    uint32_t start;    /* in the text */
};

/* Reads path itself, or what ends in `suffix` below it. false: why is told, with a zero byte behind. */
bool bundle_read(struct bundle *bundle, const char *path, const char *suffix, const char *prefix,
                 uint32_t file_limit_bytes, struct text *why);
void bundle_end(struct bundle *bundle);

/* The part that a byte is in, where that part ends, and the line of the byte in it, from 1 on. */
uint32_t bundle_part_at(const struct bundle *bundle, uint32_t byte);
uint32_t bundle_part_end(const struct bundle *bundle, uint32_t part);
uint32_t bundle_line_at(const struct bundle *bundle, uint32_t byte);

#endif
