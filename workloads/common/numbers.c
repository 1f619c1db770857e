/* SPDX-License-Identifier: MIT
 * numbers.c -- see numbers.h. */
#include "numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMB_COUNT = NUMBERS_DIGIT_LIMIT * 4 / 32 + 2 };

/* Copies what is no underscore. Returns  false: it does not fit. */
static bool copy_digits(char *out, size_t size, const char *digits, uint32_t length) {
    size_t kept = 0;
    for (uint32_t i = 0; i < length && kept < size; i++) {
        out[kept] = digits[i];
        kept += digits[i] != '_';
    }
    if (kept < size)
        out[kept] = '\0';
    return kept < size;
}

bool numbers_print_integer(struct text *out, const char *digits, uint32_t length, bool negative) {
    static const struct {
        char letter;
        unsigned base;
    } bases[] = {{'x', 16}, {'o', 8}, {'b', 2}};
    char plain[NUMBERS_DIGIT_LIMIT + 1];
    uint32_t limbs[LIMB_COUNT] = {0};
    size_t used = 1;
    unsigned base = 10;
    for (size_t i = 0; length > 2 && digits[0] == '0' && i < sizeof bases / sizeof *bases; i++)
        base = (digits[1] | 0x20) == bases[i].letter ? bases[i].base : base;
    uint32_t prefix = base != 10 ? 2 : 0;
    if (!copy_digits(plain, sizeof plain, digits + prefix, length - prefix))
        return false;
    for (const char *c = plain; *c != '\0'; c++) {
        uint64_t carry = *c <= '9' ? (uint64_t)(*c - '0') : (uint64_t)((*c | 0x20) - 'a') + 10;
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
    if (used <= 2)
        text_print(out, "%s%llu", sign, low);
    else
        text_print(out, "%s0x%x", sign, limbs[used - 1]);
    for (size_t i = used - 1; used > 2 && i-- > 0;)
        text_print(out, "%08x", limbs[i]);
    return true;
}

bool numbers_print_float(struct text *out, const char *digits, uint32_t length, bool negative) {
    char plain[NUMBERS_DIGIT_LIMIT + 1], number[40];
    if (!copy_digits(plain, sizeof plain, digits, length))
        return false;
    double value = strtod(plain, NULL);
    value = negative && value != 0 ? -value : value;
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(number, sizeof number, "%.*g", precision, value);
        if (strtod(number, NULL) == value)
            break;
    }
    text_print(out, "%s%s", number, strspn(number, "-0123456789") == strlen(number) ? ".0" : "");
    return true;
}
