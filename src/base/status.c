/* SPDX-License-Identifier: MIT
 * Statuses, and the last failure of each thread: see status.h. */
#include "base/status.h"

#include "base/thread.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEXT(x)          #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

const char *lido_version(void) {
    return VERSION(LIDO_VERSION_MAJOR, LIDO_VERSION_MINOR, LIDO_VERSION_PATCH);
}

/* Every status once: name and advice. */
static const struct {
    const char *name;
    lido_status status;
    lido_advice advice;
} table[] = {
    {"LIDO_OK", LIDO_OK, LIDO_ADVICE_NONE},
    {"LIDO_ERR_ARGUMENT", LIDO_ERR_ARGUMENT, LIDO_ADVICE_RECONFIGURE},
    {"LIDO_ERR_UNSUPPORTED", LIDO_ERR_UNSUPPORTED, LIDO_ADVICE_RECONFIGURE},
    {"LIDO_ERR_NO_MEMORY", LIDO_ERR_NO_MEMORY, LIDO_ADVICE_RETRY},
    {"LIDO_ERR_LIMIT", LIDO_ERR_LIMIT, LIDO_ADVICE_WAIT},
    {"LIDO_ERR_EMPTY", LIDO_ERR_EMPTY, LIDO_ADVICE_RETRY},
    {"LIDO_ERR_TIMEOUT", LIDO_ERR_TIMEOUT, LIDO_ADVICE_RETRY},
    {"LIDO_ERR_BUSY", LIDO_ERR_BUSY, LIDO_ADVICE_WAIT},
    {"LIDO_ERR_CLOSED", LIDO_ERR_CLOSED, LIDO_ADVICE_RECONNECT},
    {"LIDO_ERR_NOT_HELD", LIDO_ERR_NOT_HELD, LIDO_ADVICE_BUG},
    {"LIDO_ERR_CALLBACK", LIDO_ERR_CALLBACK, LIDO_ADVICE_RETRY},
    {"LIDO_ERR_SYSTEM", LIDO_ERR_SYSTEM, LIDO_ADVICE_RETRY},
    {"LIDO_ERR_DEADLOCK", LIDO_ERR_DEADLOCK, LIDO_ADVICE_BUG},
};

enum { TABLE_COUNT = sizeof table / sizeof table[0] };

const char *lido_status_name(lido_status status) {
    for (int i = 0; i < TABLE_COUNT; i++)
        if (table[i].status == status)
            return table[i].name;
    return "LIDO_ERR_?";
}

lido_advice lido_status_advice(lido_status status) {
    for (int i = 0; i < TABLE_COUNT; i++)
        if (table[i].status == status)
            return table[i].advice;
    return LIDO_ADVICE_BUG;
}

/* Copies what foreign text there is, so that a message stays one line that garbles no screen. */
static void copy_word(char *to, const char *from, size_t length) {
    for (size_t i = 0; i < length; i++)
        to[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];
    to[length] = '\0';
}

/* The failure of a thread for whose record there is no memory: its status alone is kept. */
static _Thread_local lido_status without_record;

lido_status lido__fail(lido_status status, const char *format, const struct lido__pieces *pieces) {
    struct lido__thread *thread = lido__thread();
    if (!thread)
        return without_record = status;
    struct lido__failure *failure = &thread->failure;
    size_t used = 0;
    failure->status = status;
    failure->format = format;
    memcpy(failure->number, pieces->number, sizeof failure->number);
    for (int i = 0; i < LIDO__WORDS; i++) {
        const char *word = pieces->word[i] ? pieces->word[i] : "?";
        size_t room = sizeof failure->words - used - (size_t)(LIDO__WORDS - i);
        size_t length = strnlen(word, room);
        copy_word(failure->words + used, word, length);
        failure->word[i] = (uint16_t)used;
        used += length + 1;
    }
    return status;
}

/* A line being written; what does not fit is cut. */
struct line {
    char *text;
    size_t used;
    size_t size;
};

static void put(struct line *line, const char *text, size_t length) {
    size_t room = line->size - 1 - line->used;
    if (length > room)
        length = room;
    memcpy(line->text + line->used, text, length);
    line->used += length;
    line->text[line->used] = '\0';
}

static void put_duration(struct line *line, uint64_t ns) {
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"h", UINT64_C(3600000000000)}, {"min", UINT64_C(60000000000)},
                 {"s", LIDO_SECONDS(1)},         {"ms", LIDO_MILLISECONDS(1)},
                 {"us", LIDO_MICROSECONDS(1)},   {"ns", 1}};
    char text[48];
    size_t i = 0;
    while (units[i].ns > ns && units[i].ns > 1)
        i++;
    uint64_t tenths = ns % units[i].ns * 10 / units[i].ns;
    int length =
        tenths ? snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64 " %s", ns / units[i].ns, tenths,
                          units[i].unit)
               : snprintf(text, sizeof text, "%" PRIu64 " %s", ns / units[i].ns, units[i].unit);
    put(line, text, (size_t)length);
}

static void put_number(struct line *line, char how, uint64_t number) {
    char text[32];
    int length = 0;
    if (how == 't') {
        put_duration(line, number);
        return;
    }
    if (how == 'd')
        length = snprintf(text, sizeof text, "%" PRId64, (int64_t)number);
    else if (how == 'p')
        length = snprintf(text, sizeof text, "0x%" PRIx64, number);
    else
        length = snprintf(text, sizeof text, "%" PRIu64, number);
    put(line, text, (size_t)length);
}

static void put_failure(struct line *line, const struct lido__failure *failure) {
    int words = 0, numbers = 0;
    for (const char *at = failure->format; *at; at++) {
        if (*at != '%') {
            put(line, at, 1);
            continue;
        }
        at++;
        if (*at == '%')
            put(line, at, 1);
        else if (*at == 's') {
            const char *word = failure->words + failure->word[words++];
            put(line, word, strlen(word));
        } else
            put_number(line, *at, failure->number[numbers++]);
    }
}

lido_status lido_last_status(void) {
    return lido__thread_is_known() ? lido__thread_self->failure.status : without_record;
}

const char *lido_last_error(void) {
    struct lido__thread *thread = lido__thread_self;
    if (!lido__thread_is_known() && without_record != LIDO_OK)
        return "a call of lido failed, and there was no memory to keep more than its status";
    if (!lido__thread_is_known() || thread->failure.status == LIDO_OK)
        return "no call of lido has failed on this thread";
    struct line line = {.text = thread->failure.line, .size = sizeof thread->failure.line};
    put_failure(&line, &thread->failure);
    return line.text;
}
