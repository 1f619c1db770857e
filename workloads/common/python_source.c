/* SPDX-License-Identifier: MIT
 * python_source.c -- see python_source.h. */
#include "python_source.h"

#include <ctype.h>
#include <string.h>

/* Whether a coding name means UTF-8 or a part of it. */
static bool is_utf8_name(const char *name, size_t length) {
    static const char *const names[] = {"utf-8", "utf8", "ascii", "us-ascii"};
    char plain[16];
    length = length < sizeof plain ? length : sizeof plain - 1;
    for (size_t i = 0; i < length; i++)
        plain[i] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
    plain[length] = '\0';
    bool known = strncmp(plain, "utf-8-", 6) == 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        known |= strcmp(plain, names[i]) == 0;
    return known;
}

/* Looks for `coding: name` in the comment that a line is; *length stays 0 if there is none. Returns
 * false: the line is more than a comment, and no later one counts. */
static bool read_coding(const char *line, const char *end, const char **name, size_t *length) {
    while (line < end && strchr(" \t\f", *line) != NULL)
        line++;
    if (line < end && *line != '#')
        return false;
    for (; end - line > 7 && *length == 0; line++) {
        if (memcmp(line, "coding", 6) != 0 || (line[6] != ':' && line[6] != '='))
            continue;
        const char *stop = line + 7;
        while (stop < end && (*stop == ' ' || *stop == '\t'))
            stop++;
        for (*name = stop; stop < end && (isalnum((unsigned char)*stop) || strchr("-_.", *stop));)
            stop++;
        *length = (size_t)(stop - *name);
    }
    return true;
}

/* Looks for a declaration in the first two lines; *length stays 0 if there is none. */
static void find_coding(const struct text *source, const char **name, size_t *length) {
    const char *line = source->items, *end = line + source->count;
    for (int i = 0; i < 2 && line < end && *length == 0; i++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!read_coding(line, stop != NULL ? stop : end, name, length))
            break;
        line = stop != NULL ? stop + 1 : end;
    }
}

/* Takes a byte-order mark off; CR LF and a lone CR become LF, as Python reads them. */
static void unify(struct text *source) {
    uint32_t from = source->count >= 3 && memcmp(source->items, "\xef\xbb\xbf", 3) == 0 ? 3 : 0,
             to = 0;
    if (from == 0 && memchr(source->items, '\r', source->count) == NULL)
        return;
    for (; from < source->count; from++) {
        if (source->items[from] != '\r' || source->items[from + 1] != '\n')
            source->items[to++] = source->items[from] == '\r' ? '\n' : source->items[from];
    }
    source->items[source->count = to] = '\0';
}

bool python_source_check(struct text *source, struct text *reason) {
    const char *name = "";
    size_t length = 0;
    unify(source);
    find_coding(source, &name, &length);
    const char *zero = memchr(source->items, '\0', source->count);
    if (length > 0 && !is_utf8_name(name, length))
        text_print(reason, "encoding %.*s", (int)(length < 64 ? length : 64), name);
    else if (utf8_prefix(source->items, source->count) != source->count)
        text_print(reason, "not valid UTF-8");
    else if (zero != NULL)
        text_print(reason, "syntax error at line %u", text_line_at(source, zero));
    return reason->count == 0;
}
