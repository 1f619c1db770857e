/* SPDX-License-Identifier: MIT
 * options.c -- see options.h. Written out, because getopt's messages name neither value nor way out. */
#include "options.h"

#include "writable.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const char *command, const char *what, const char *word, const char *way_out) {
    fprintf(stderr, "%s: %s '%s'%s\n", command, what, word, way_out);
    return OPTIONS_BAD;
}

static int set_names(const char *command, const struct option_spec *spec, const char *list) {
    uint32_t *bits = spec->value;
    *bits = 0;
    for (const char *at = list; *at != '\0' || at == list;) {
        size_t length = strcspn(at, ",");
        uint32_t number = 0;
        while (number < spec->limit && (strlen(spec->name_of(number)) != length ||
                                        memcmp(spec->name_of(number), at, length) != 0))
            number++;
        if (number == spec->limit) {
            fprintf(stderr, "%s: --%s has '%.*s'; --help lists the names\n", command, spec->name,
                    (int)length, at);
            return OPTIONS_BAD;
        }
        *bits |= 1u << number;
        at += length + (at[length] == ',');
    }
    return OPTIONS_GOOD;
}

static int set(const char *command, const struct option_spec *spec, const char *value) {
    if (spec->kind == OPTION_FLAG) {
        *(bool *)spec->value = true;
    } else if (spec->kind == OPTION_TEXT) {
        *(const char **)spec->value = value;
    } else if (spec->kind == OPTION_OUTPUT) {
        *(const char **)spec->value = value;
        return writable_or_refuse(command, spec->name, value) ? OPTIONS_GOOD : OPTIONS_BAD;
    } else if (spec->kind == OPTION_NAMES) {
        return set_names(command, spec, value);
    } else {
        char *end;
        unsigned long number = strtoul(value, &end, 10);
        if (value[0] < '0' || value[0] > '9' || *end != '\0' || number < 1 ||
            number > spec->limit) {
            fprintf(stderr, "%s: --%s is '%s', must be a number from 1 to %u\n", command,
                    spec->name, value, spec->limit);
            return OPTIONS_BAD;
        }
        *(uint32_t *)spec->value = (uint32_t)number;
    }
    return OPTIONS_GOOD;
}

int options_parse(const char *command, int argc, char *argv[], const struct option_spec *specs,
                  const char **operand) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            return OPTIONS_HELP;
        if (strcmp(word, "--") == 0 && i + 1 == argc)
            break;
        bool ends = strcmp(word, "--") == 0;
        if (word[0] != '-' || word[1] == '\0' || ends) {
            if (*operand != NULL || (ends && i + 2 < argc))
                return refuse(command, "one operand at a time, there is also", argv[argc - 1], "");
            *operand = ends ? argv[++i] : word;
            continue;
        }
        size_t length = strcspn(word, "=");
        const struct option_spec *spec = specs;
        while (spec->name != NULL && (word[1] != '-' || strlen(spec->name) != length - 2 ||
                                      memcmp(spec->name, word + 2, length - 2) != 0))
            spec++;
        if (spec->name == NULL)
            return refuse(command, "there is no option", word, "; --help lists them");
        const char *value = word[length] == '=' ? word + length + 1 : NULL;
        if (spec->kind == OPTION_FLAG && value != NULL)
            return refuse(command, "no value belongs to", word, "; leave it out");
        if (spec->kind != OPTION_FLAG && value == NULL && (value = argv[++i]) == NULL)
            return refuse(command, "a value is missing behind", word, "; --help says which");
        int status = set(command, spec, value);
        if (status != OPTIONS_GOOD)
            return status;
    }
    return OPTIONS_GOOD;
}
