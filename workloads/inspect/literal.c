/* SPDX-License-Identifier: MIT
 * literal.c -- when two literals are the same, told by one text for each value; strings keep their
 * characters as written. */
#include "parts.h"

#include "common/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct literal read_number(struct detector *d, TSNode node, bool negative) {
    uint32_t length;
    const char *text = text_of(d, node, &length);
    bool based = length > 2 && text[0] == '0' && strchr("xXoObB", text[1]) != NULL;
    bool imaginary = !based && strchr("jJ", text[length - 1]) != NULL;
    bool integer = kind_of(node) == NODE_INTEGER && !imaginary;
    d->text.count = 0;
    bool good = integer ? numbers_print_integer(&d->text, text, length, negative)
                        : numbers_print_float(&d->text, text, length, negative);
    if (!good)
        return (struct literal){NO_LITERAL, false, NO_STRING};
    text_add(&d->text, "j", imaginary);
    *array_push(&d->text) = '\0';
    const char *key = d->text.items;
    bool trivial = strcmp(key, "0") == 0 || strcmp(key, "1") == 0 || strcmp(key, "-1") == 0;
    d->text.count--;
    return (struct literal){integer     ? AN_INTEGER
                            : imaginary ? AN_IMAGINARY
                                        : A_FLOAT,
                            trivial, put_text(d)};
}

static struct literal read_string(struct detector *d, TSNode node) {
    uint32_t length, prefix = 0;
    const char *text = text_of(d, node, &length);
    bool bytes = false, raw = false;
    for (; text[prefix] != '"' && text[prefix] != '\''; prefix++) {
        char letter = (char)(text[prefix] | 0x20);
        bytes |= letter == 'b';
        raw |= letter == 'r';
        if (letter == 'f' || prefix + 1 == length) /* Python 2 has strings in backquotes */
            return (struct literal){NO_LITERAL, false, NO_STRING};
    }
    bool triple = length - prefix >= 6 && text[prefix + 1] == text[prefix] &&
                  text[prefix + 2] == text[prefix];
    text += prefix + (triple ? 3 : 1);
    length -= prefix + (triple ? 6 : 2);
    raw = raw && memchr(text, '\\', length) != NULL;
    d->text.count = 0;
    text_print(&d->text, "%s%s'%.*s'", bytes ? "b" : "", raw ? "r" : "", (int)length, text);
    bool main = !bytes && length == 8 && memcmp(text, "__main__", 8) == 0;
    return (struct literal){A_STRING, length == 0 || main, put_text(d)};
}

struct literal read_literal(struct detector *d, TSNode node) {
    node = without_parentheses(node);
    bool negative = kind_of(node) == NODE_UNARY && d->source.items[ts_node_start_byte(node)] == '-';
    if (negative)
        node = without_parentheses(field_of(node, FIELD_argument));
    if (kind_of(node) == NODE_INTEGER || kind_of(node) == NODE_FLOAT)
        return read_number(d, node, negative);
    if (kind_of(node) == NODE_STRING && !negative)
        return read_string(d, node);
    return (struct literal){NO_LITERAL, false, NO_STRING};
}

uint32_t real_number_key(struct detector *d, const struct literal *literal) {
    double value = strtod(strings_text(&d->strings, literal->key), NULL);
    if (literal->sort != A_FLOAT || !(fabs(value) < 0x1p64) || value != floor(value))
        return literal->key;
    d->text.count = 0;
    text_print(&d->text, "%.0f", value == 0 ? 0.0 : value);
    return put_text(d);
}
