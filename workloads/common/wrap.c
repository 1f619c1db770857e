/* SPDX-License-Identifier: MIT
 * Spaces stay as they are, but for those where a line is broken. */
#include "common/wrap.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

/* Columns of a word: bytes that begin a character of UTF-8. */
static unsigned columns_of(const char *word, size_t length) {
    unsigned columns = 0;
    for (size_t i = 0; i < length; i++)
        columns += ((unsigned char)word[i] & 0xc0) != 0x80;
    return columns;
}

void wrap_print(FILE *out, unsigned column, unsigned indent, const char *text) {
    for (bool first = true; *text != '\0'; first = false) {
        size_t gap = strspn(text, " "), length = strcspn(text + gap, " ");
        text += gap;
        unsigned columns = columns_of(text, length);
        if (!first && column + gap + columns > WRAP_COLUMNS) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else {
            fprintf(out, "%*s", (int)gap, "");
            column += (unsigned)gap;
        }
        fprintf(out, "%.*s", (int)length, text);
        column += columns;
        text += length;
    }
    fputc('\n', out);
}

void wrap_format(FILE *out, unsigned indent, const char *format, ...) {
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    wrap_print(out, 0, indent, text);
}
