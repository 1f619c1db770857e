/* SPDX-License-Identifier: MIT
 * json_file.c -- see json_file.h. */
#include "json_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool json_write_file(json_t *value, const char *path, size_t flags) {
    FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    int error = value == NULL ? ENOMEM : 0;
    if (out == NULL || (error == 0 && (json_dumpf(value, out, JSON_INDENT(2) | flags) != 0 ||
                                       fputc('\n', out) == EOF || fflush(out) != 0)))
        error = errno;
    if (out != NULL && out != stdout && fclose(out) != 0)
        error = errno;
    json_decref(value);
    errno = error;
    return error == 0;
}
