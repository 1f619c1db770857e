/* SPDX-License-Identifier: MIT
 * text.h -- growing arrays and texts, strings known by number, and text made fit to print.
 *
 * Memory that cannot be had ends the program with a message and status 1: a program that computes
 * one answer has nothing better to do.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *must_realloc(void *old, size_t bytes);
char *must_copy(const char *text, size_t length);

/* A growing array of any type: struct { T *items; uint32_t count, capacity; }. */
#define ARRAY(type)                                                                                \
    struct {                                                                                       \
        type *items;                                                                               \
        uint32_t count, capacity;                                                                  \
    }
/* Makes room for one more item and gives its address. */
#define array_push(array)                                                                          \
    (((array)->count == (array)->capacity                                                          \
          ? (void)((array)->items =                                                                \
                       array_grow((array)->items, &(array)->capacity, sizeof *(array)->items))     \
          : (void)0),                                                                              \
     &(array)->items[(array)->count++])
void *array_grow(void *items, uint32_t *capacity, size_t item_bytes);

/* A text that grows; text_print leaves a zero byte behind it, which does not count, the others none. */
struct text {
    char *items;
    uint32_t count, capacity;
};
/* The line that a place in the text is in, from 1. */
uint32_t text_line_at(const struct text *text, const char *at);
void text_add(struct text *text, const char *bytes, size_t length);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define NO_STRING 0u /* no string has this number */

/* Strings, each kept once and known by a number from 1 on. */
struct strings {
    struct text bytes;
    ARRAY(struct string) entries; /* entry 0 is unused */
    uint32_t *slots;              /* open addressing; a power of two, at most half full */
    uint32_t slot_count;
};

struct string {
    uint32_t at, length, hash;
};

uint32_t strings_put(struct strings *strings, const char *text, uint32_t length);
/* The same for who has the hash already. */
uint32_t strings_put_hashed(struct strings *strings, const char *text, uint32_t length,
                            uint32_t hash);
uint32_t strings_hash(const char *text, uint32_t length);
const char *strings_text(const struct strings *strings, uint32_t id); /* ends with a zero byte */
void strings_clear(struct strings *strings); /* empties and keeps the memory */
void strings_end(struct strings *strings);

/* Returns  the length of the longest valid UTF-8 prefix. */
size_t utf8_prefix(const char *text, size_t length);

/* Returns  the text with bytes that are not UTF-8 as \xNN, as JSON and databases need it; free it. */
char *storable(const char *text);

/* Returns  the same with control characters as \xNN too, as terminals need it; free it. */
char *printable(const char *text);

#endif
