/* SPDX-License-Identifier: MIT
 * json_file.h -- a JSON value into a file, whole or with an error. */
#ifndef COMMON_JSON_FILE_H
#define COMMON_JSON_FILE_H

#include <jansson.h>
#include <stdbool.h>

/* Writes a value and lets go of it; "-" is standard output. NULL: it could not be made. flags: of
 * json_dumpf, beside those for readable lines. false: errno says why. */
bool json_write_file(json_t *value, const char *path, size_t flags);

#endif
