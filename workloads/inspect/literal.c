/* SPDX-License-Identifier: MIT
 * literal.c -- when two literals are the same, told by one text for each value.
 *
 * Integers of any size become decimal text, or hexadecimal beyond 64 bits; floats become the
 * shortest of %.1g to %.17g that reads back; strings keep their characters as written.
 */
#include "detector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT_LIMIT = 4300, LIMB_COUNT = DIGIT_LIMIT * 4 / 32 + 2, KEY_BYTES = LIMB_COUNT * 8 + 8 };

/* The key of a float, with ".0" where it would look like an integer. Returns its length. */
static size_t write_float(char *out, size_t size, double value) {
    size_t length = 0;
    for (int precision = 1; precision <= 17; precision++) {
        length = (size_t)snprintf(out, size, "%.*g", precision, value);
        if (strtod(out, NULL) == value)
            break;
    }
    if (strspn(out, "-0123456789") == length)
        length += (size_t)snprintf(out + length, size - length, ".0");
    return length;
}

/* The key of an integer from its digits; 0: too many of them. */
static size_t write_integer(char *out, size_t size, const char *digits, unsigned base,
                            bool negative) {
    uint32_t limbs[LIMB_COUNT] = {0};
    size_t used = 1;
    if (strlen(digits) > DIGIT_LIMIT)
        return 0;
    for (; *digits != '\0'; digits++) {
        char c = *digits;
        unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
        uint64_t carry = digit;
        for (size_t i = 0; i < used; i++) {
            carry += (uint64_t)limbs[i] * base;
            limbs[i] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry != 0)
            limbs[used++] = (uint32_t)carry;
    }
    uint64_t low = (uint64_t)limbs[1] << 32 | limbs[0];
    const char *sign = negative && (used > 2 || low != 0) ? "-" : "";
    if (used <= 2)
        return (size_t)snprintf(out, size, "%s%llu", sign, (unsigned long long)low);
    size_t length = (size_t)snprintf(out, size, "%s0x%x", sign, limbs[used - 1]);
    for (size_t i = used - 1; i-- > 0;)
        length += (size_t)snprintf(out + length, size - length, "%08x", limbs[i]);
    return length;
}

static struct literal read_number(struct detector *d, TSNode node, bool negative) {
    struct literal literal = {LITERAL_NONE, false, NO_STRING};
    uint32_t length, kept = 0;
    const char *text = text_of(d, node, &length);
    char digits[DIGIT_LIMIT + 4], key[KEY_BYTES];
    if (length >= sizeof digits)
        return literal;
    for (uint32_t i = 0; i < length; i++) {
        if (text[i] != '_')
            digits[kept++] = text[i];
    }
    digits[kept] = '\0';
    size_t key_length;
    bool based = kept > 2 && digits[0] == '0' && strchr("xXoObB", digits[1]) != NULL;
    bool imaginary = !based && (digits[kept - 1] == 'j' || digits[kept - 1] == 'J');
    if (kind_of(node) == NODE_INTEGER && !imaginary) {
        unsigned base = !based                      ? 10
                        : (digits[1] | 0x20) == 'x' ? 16
                        : (digits[1] | 0x20) == 'o' ? 8
                                                    : 2;
        key_length = write_integer(key, sizeof key, digits + (based ? 2 : 0), base, negative);
        if (key_length == 0)
            return literal;
        literal.sort = LITERAL_INTEGER;
        literal.trivial = strcmp(key, "0") == 0 || strcmp(key, "1") == 0 || strcmp(key, "-1") == 0;
    } else {
        double value = strtod(digits, NULL);
        key_length = write_float(key, sizeof key, negative && value != 0 ? -value : value);
        literal.sort = imaginary ? LITERAL_IMAGINARY : LITERAL_FLOAT;
        if (imaginary)
            key[key_length++] = 'j';
    }
    literal.key = strings_put(&d->strings, key, (uint32_t)key_length);
    return literal;
}

static struct literal read_string(struct detector *d, TSNode node) {
    struct literal literal = {LITERAL_NONE, false, NO_STRING};
    uint32_t length, prefix = 0;
    const char *text = text_of(d, node, &length);
    bool bytes = false, raw = false;
    for (; prefix < length && text[prefix] != '"' && text[prefix] != '\''; prefix++) {
        char letter = (char)(text[prefix] | 0x20);
        bytes |= letter == 'b';
        raw |= letter == 'r';
        if (letter == 'f')
            return literal;
    }
    if (prefix == length)
        return literal; /* Python 2's backquotes */
    char quote = text[prefix];
    uint32_t marks =
        length - prefix >= 6 && text[prefix + 1] == quote && text[prefix + 2] == quote ? 3 : 1;
    text += prefix + marks;
    length -= prefix + 2 * marks;
    raw = raw && memchr(text, '\\', length) != NULL;

    d->text.count = 0;
    if (bytes)
        *array_push(&d->text) = 'b';
    if (raw)
        *array_push(&d->text) = 'r';
    *array_push(&d->text) = '\'';
    for (uint32_t i = 0; i < length; i++)
        *array_push(&d->text) = text[i];
    *array_push(&d->text) = '\'';
    literal.sort = bytes ? LITERAL_BYTES : LITERAL_TEXT;
    literal.trivial = length == 0 || (!bytes && length == 8 && memcmp(text, "__main__", 8) == 0);
    literal.key = strings_put(&d->strings, d->text.items, d->text.count);
    return literal;
}

struct literal read_literal(struct detector *d, TSNode node) {
    bool negative = false;
    node = without_parentheses(node);
    if (kind_of(node) == NODE_UNARY) {
        negative = d->source.items[ts_node_start_byte(node)] == '-';
        node = negative ? without_parentheses(field_of(node, FIELD_ARGUMENT)) : node;
    }
    switch (kind_of(node)) {
    case NODE_INTEGER:
    case NODE_FLOAT:
        return read_number(d, node, negative);
    case NODE_STRING:
        if (!negative)
            return read_string(d, node);
        break;
    default:
        break;
    }
    return (struct literal){LITERAL_NONE, false, NO_STRING};
}

uint32_t real_number_key(struct detector *d, const struct literal *literal) {
    if (literal->sort != LITERAL_FLOAT)
        return literal->key;
    double value = strtod(strings_text(&d->strings, literal->key), NULL);
    if (!(fabs(value) < 0x1p64) || value != floor(value))
        return literal->key;
    char key[32];
    int length = snprintf(key, sizeof key, "%.0f", value == 0 ? 0.0 : value);
    return strings_put(&d->strings, key, (uint32_t)length);
}
