/* SPDX-License-Identifier: MIT
 * text.c -- see text.h. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must_realloc(void *old, size_t bytes) {
    void *memory = realloc(old, bytes != 0 ? bytes : 1);
    if (memory == NULL) {
        fprintf(stderr, "lido: out of memory, %zu bytes asked for\n", bytes);
        _Exit(EXIT_FAILURE);
    }
    return memory;
}

char *must_copy(const char *text, size_t length) {
    char *copy = must_realloc(NULL, length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void *array_grow(void *items, uint32_t *capacity, size_t item_bytes) {
    *capacity = *capacity == 0 ? 16 : *capacity + *capacity / 2;
    return must_realloc(items, *capacity * item_bytes);
}

void text_add(struct text *text, const char *bytes, size_t length) {
    while (text->capacity - text->count < length)
        text->items = array_grow(text->items, &text->capacity, 1);
    if (length > 0)
        memcpy(text->items + text->count, bytes, length);
    text->count += (uint32_t)length;
}

uint32_t text_line_at(const struct text *text, const char *at) {
    uint32_t line = 1;
    for (const char *c = text->items; c < at; c++)
        line += *c == '\n';
    return line;
}

void text_print(struct text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): said of several files only */
    int length = vsnprintf(NULL, 0, format, arguments);
    while (text->capacity - text->count <= (uint32_t)length)
        text->items = array_grow(text->items, &text->capacity, 1);
    vsnprintf(text->items + text->count, (size_t)length + 1, format, again);
    text->count += (uint32_t)length;
    va_end(again);
    va_end(arguments);
}

uint32_t strings_hash(const char *text, uint32_t length) {
    uint64_t hash = length;
    for (uint32_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32);
}

static void resize_slots(struct strings *strings, uint32_t slot_count) {
    strings->slots = must_realloc(strings->slots, slot_count * sizeof *strings->slots);
    strings->slot_count = slot_count;
    memset(strings->slots, 0, slot_count * sizeof *strings->slots);
    for (uint32_t id = 1; id < strings->entries.count; id++) {
        uint32_t slot = strings->entries.items[id].hash & (slot_count - 1);
        while (strings->slots[slot] != 0)
            slot = (slot + 1) & (slot_count - 1);
        strings->slots[slot] = id;
    }
}

uint32_t strings_put(struct strings *strings, const char *text, uint32_t length) {
    return strings_put_hashed(strings, text, length, strings_hash(text, length));
}

uint32_t strings_put_hashed(struct strings *strings, const char *text, uint32_t length,
                            uint32_t hash) {
    if (strings->entries.count == 0)
        memset(array_push(&strings->entries), 0, sizeof(struct string));
    if (strings->entries.count * 2 >= strings->slot_count)
        resize_slots(strings, strings->slot_count == 0 ? 64 : strings->slot_count * 2);

    uint32_t slot = hash & (strings->slot_count - 1);
    for (; strings->slots[slot] != 0; slot = (slot + 1) & (strings->slot_count - 1)) {
        const struct string *known = &strings->entries.items[strings->slots[slot]];
        if (known->hash == hash && known->length == length &&
            memcmp(strings->bytes.items + known->at, text, length) == 0)
            return strings->slots[slot];
    }
    struct string entry = {strings->bytes.count, length, hash};
    text_add(&strings->bytes, text, length);
    *array_push(&strings->bytes) = '\0';
    strings->slots[slot] = strings->entries.count;
    *array_push(&strings->entries) = entry;
    return strings->slots[slot];
}

const char *strings_text(const struct strings *strings, uint32_t id) {
    return strings->bytes.items + strings->entries.items[id].at;
}

void strings_clear(struct strings *strings) {
    strings->bytes.count = strings->entries.count = 0;
    if (strings->slots != NULL)
        memset(strings->slots, 0, strings->slot_count * sizeof *strings->slots);
}

void strings_end(struct strings *strings) {
    free(strings->bytes.items);
    free(strings->entries.items);
    free(strings->slots);
    memset(strings, 0, sizeof *strings);
}

/* Length of the valid UTF-8 sequence at text, 0 if there is none; surrogates and overlong forms
 * are none, as in Python. */
static size_t sequence_length(const unsigned char *text, size_t length) {
    unsigned char first = text[0];
    size_t need = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (need == 1)
        return 1;
    if (first < 0xc2 || first > 0xf4 || length < need)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
    bool beyond = (first == 0xed && text[1] > 0x9f) || (first == 0xf4 && text[1] > 0x8f);
    return overlong || beyond ? 0 : need;
}

size_t utf8_prefix(const char *text, size_t length) {
    size_t at = 0;
    while (at < length) {
        size_t step = sequence_length((const unsigned char *)text + at, length - at);
        if (step == 0)
            break;
        at += step;
    }
    return at;
}

static char *escape(const char *text, bool controls) {
    size_t length = strlen(text);
    char *out = must_realloc(NULL, length * 4 + 1);
    size_t to = 0;
    for (size_t at = 0; at < length;) {
        unsigned char byte = (unsigned char)text[at];
        size_t step = sequence_length((const unsigned char *)text + at, length - at);
        if (step == 0 || (controls && (byte < 0x20 || byte == 0x7f))) {
            to += (size_t)snprintf(out + to, 5, "\\x%02x", byte);
            at++;
        } else {
            memcpy(out + to, text + at, step);
            to += step;
            at += step;
        }
    }
    out[to] = '\0';
    return out;
}

char *storable(const char *text) {
    return escape(text, false);
}

char *printable(const char *text) {
    return escape(text, true);
}
