/* SPDX-License-Identifier: MIT
 * How a call fails: it keeps the pieces of its message with its thread, and goes on. The text is
 * put together when somebody reads it. */
#ifndef LIDO_SRC_BASE_STATUS_H
#define LIDO_SRC_BASE_STATUS_H

#include <lido/base.h>

enum { LIDO__WORDS = 4, LIDO__NUMBERS = 6, LIDO__WORD_BYTES = 320, LIDO__LINE_BYTES = 640 };

/* The pieces. The format takes them in turn: %s the next word (NULL: "?"), %u the next number,
 * %d the same as signed, %p as an address, %t as a duration in nanoseconds, %% a per cent sign. */
struct lido__pieces {
    const char *word[LIDO__WORDS];
    uint64_t number[LIDO__NUMBERS];
};

/* What a thread remembers of its last failure. Words are copies: their owners may be gone. */
struct lido__failure {
    lido_status status;
    const char *format;
    uint64_t number[LIDO__NUMBERS];
    uint16_t word[LIDO__WORDS]; /* offsets into words */
    char words[LIDO__WORD_BYTES];
    char line[LIDO__LINE_BYTES]; /* made by lido_last_error */
};

/* Remembers a failure for this thread and returns its status. The format is static text. */
lido_status lido__fail(lido_status status, const char *format, const struct lido__pieces *pieces);

#define LIDO__FAIL(status, format, ...)                                                            \
    lido__fail(status, format, &(const struct lido__pieces){__VA_ARGS__})

#endif
