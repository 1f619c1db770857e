/* SPDX-License-Identifier: MIT
 * options.h -- long options from a table, refused in one line that names option, value and way out. */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stdint.h>

struct option_spec {
    const char *name;
    enum { OPTION_FLAG, OPTION_TEXT, OPTION_OUTPUT, OPTION_COUNT, OPTION_NAMES } kind;
    void *
        value; /* bool, const char *, the same for a file to write, uint32_t, or uint32_t with a bit for each name */
    uint32_t limit; /* of a count, which is at least 1; of names: how many there are, at most 32 */
    const char *(*name_of)(uint32_t number); /* of names, separated by commas */
};

enum { OPTIONS_GOOD = 0, OPTIONS_HELP = 1, OPTIONS_BAD = 2 };

/* Reads options and at most one operand; specs end with a NULL name. After OPTIONS_BAD the reason has
 * been printed. --help and -h are OPTIONS_HELP. */
int options_parse(const char *command, int argc, char *argv[], const struct option_spec *specs,
                  const char **operand);

#endif
