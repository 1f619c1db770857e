/* SPDX-License-Identifier: MIT
 * literal.c -- when two literals are the same, told by one text for each value.
 *
 * Integers of any size become decimal text, or hexadecimal beyond 64 bits; floats become the
 * shortest of %.1g to %.17g that reads back; strings keep their characters as written. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT_LIMIT = 4300, LIMB_COUNT = DIGIT_LIMIT * 4 / 32 + 2 };

/* Writes the key of a float, with ".0" where it would look like an integer. */
static void print_float(struct text *out, double value) {
    char number[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(number, sizeof number, "%.*g", precision, value);
        if (strtod(number, NULL) == value)
            break;
    }
    text_print(out, "%s%s", number, strspn(number, "-0123456789") == strlen(number) ? ".0" : "");
}

/* Writes the key of an integer from its digits. */
static void print_integer(struct text *out, const char *digits, unsigned base, bool negative) {
    uint32_t limbs[LIMB_COUNT] = {0};
    size_t used = 1;
    for (; *digits != '\0'; digits++) {
        uint64_t carry =
            *digits <= '9' ? (uint64_t)(*digits - '0') : (uint64_t)((*digits | 0x20) - 'a') + 10;
        for (size_t i = 0; i < used; i++) {
            carry += (uint64_t)limbs[i] * base;
            limbs[i] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry != 0)
            limbs[used++] = (uint32_t)carry;
    }
    unsigned long long low = (unsigned long long)limbs[1] << 32 | limbs[0];
    const char *sign = negative && (used > 2 || low != 0) ? "-" : "";
    if (used <= 2) {
        text_print(out, "%s%llu", sign, low);
        return;
    }
    text_print(out, "%s0x%x", sign, limbs[used - 1]);
    for (size_t i = used - 1; i-- > 0;)
        text_print(out, "%08x", limbs[i]);
}

static struct literal read_number(struct detector *d, TSNode node, bool negative) {
    struct literal literal = {NO_LITERAL, false, NO_STRING};
    uint32_t length, kept = 0;
    const char *text = text_of(d, node, &length);
    char digits[DIGIT_LIMIT + 3];
    for (uint32_t i = 0; i < length && kept < sizeof digits; i++) {
        digits[kept] = text[i];
        kept += text[i] != '_';
    }
    if (kept >= sizeof digits)
        return literal;
    digits[kept] = '\0';
    bool based = kept > 2 && digits[0] == '0' && strchr("xXoObB", digits[1]) != NULL;
    bool imaginary = !based && (digits[kept - 1] | 0x20) == 'j';
    d->text.count = 0;
    if (kind_of(node) == NODE_INTEGER && !imaginary) {
        char letter = based ? (char)(digits[1] | 0x20) : ' ';
        if (kept > DIGIT_LIMIT + (based ? 2u : 0u))
            return literal;
        print_integer(&d->text, digits + (based ? 2 : 0),
                      letter == 'x'   ? 16
                      : letter == 'o' ? 8
                      : letter == 'b' ? 2
                                      : 10,
                      negative);
        literal.sort = AN_INTEGER;
        literal.trivial =
            d->text.items[d->text.count - 1] <= '1' && d->text.items[d->text.count - 1] >= '0' &&
            (d->text.count == 1 || (d->text.count == 2 && memcmp(d->text.items, "-1", 2) == 0));
    } else {
        double value = strtod(digits, NULL);
        print_float(&d->text, negative && value != 0 ? -value : value);
        literal.sort = imaginary ? AN_IMAGINARY : A_FLOAT;
        if (imaginary)
            text_add(&d->text, "j", 1);
    }
    literal.key = put_text(d);
    return literal;
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
