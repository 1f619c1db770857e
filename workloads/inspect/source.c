/* SPDX-License-Identifier: MIT
 * source.c -- see source.h. A file may be anything by the time it is opened: nothing here blocks on
 * a FIFO, trusts a size, or follows a link. */
#include "source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOURCE_LIMIT = 64 << 20 };

static bool refuse(struct detector *d, const char *reason) {
    snprintf(d->reason, sizeof d->reason, "%s", reason);
    return false;
}

static bool refuse_errno(struct detector *d) {
    return refuse(d, errno == ENOENT                    ? "vanished"
                     : errno == ELOOP || errno == ENXIO ? "not a regular file"
                                                        : strerror(errno));
}

static bool read_all(struct detector *d, int fd, size_t expected) {
    size_t room = expected + 2; /* one byte to see the end by, one for the zero */
    for (;;) {
        if (d->source.capacity < room) {
            d->source.items = must_realloc(d->source.items, room);
            d->source.capacity = (uint32_t)room;
        }
        ssize_t got = read(fd, d->source.items + d->source.count, room - 1 - d->source.count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse_errno(d);
        if (got == 0)
            break;
        d->source.count += (uint32_t)got;
        if (d->source.count > SOURCE_LIMIT)
            return refuse(d, "too large");
        if (d->source.count == room - 1) /* it has grown */
            room = room * 2 < SOURCE_LIMIT + 2u ? room * 2 : SOURCE_LIMIT + 2u;
    }
    d->source.items[d->source.count] = '\0';
    d->read_bytes = d->source.count;
    return true;
}

/* Whether a coding name means UTF-8 or a part of it. */
static bool is_utf8_name(const char *name, size_t length) {
    static const char *const names[] = {"utf-8", "utf8", "ascii", "us-ascii"};
    char plain[16];
    if (length >= sizeof plain)
        length = sizeof plain - 1;
    for (size_t i = 0; i < length; i++)
        plain[i] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
    plain[length] = '\0';
    if (strncmp(plain, "utf-8-", 6) == 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(plain, names[i]) == 0)
            return true;
    }
    return false;
}

/* Looks for `coding: name` in the comment that a line is. Returns  false: the line is more than a
 * comment, and no later one counts. */
static bool read_coding(const char *line, const char *end, const char **name, size_t *length) {
    while (line < end && strchr(" \t\f", *line) != NULL)
        line++;
    if (line == end)
        return true;
    if (*line != '#')
        return false;
    for (; end - line > 7; line++) {
        if (memcmp(line, "coding", 6) != 0 || (line[6] != ':' && line[6] != '='))
            continue;
        const char *start = line + 7, *stop;
        while (start < end && (*start == ' ' || *start == '\t'))
            start++;
        for (stop = start; stop < end && (isalnum((unsigned char)*stop) || strchr("-_.", *stop));)
            stop++;
        if (stop > start) {
            *name = start;
            *length = (size_t)(stop - start);
            return true;
        }
    }
    return true;
}

static bool check_coding(struct detector *d) {
    const char *line = d->source.items, *end = line + d->source.count, *name = NULL;
    size_t length = 0;
    for (int i = 0; i < 2 && line < end && name == NULL; i++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop != NULL ? stop : end;
        if (!read_coding(line, stop, &name, &length))
            break;
        line = stop < end ? stop + 1 : end;
    }
    if (name == NULL || is_utf8_name(name, length))
        return true;
    snprintf(d->reason, sizeof d->reason, "encoding %.*s", (int)(length < 64 ? length : 64), name);
    return false;
}

/* CR LF and a lone CR become LF, as Python reads them. */
static void unify_line_ends(struct detector *d) {
    char *text = d->source.items;
    uint32_t to = 0;
    if (memchr(text, '\r', d->source.count) == NULL)
        return;
    for (uint32_t from = 0; from < d->source.count; from++) {
        if (text[from] == '\r' && text[from + 1] == '\n')
            continue;
        text[to++] = text[from] == '\r' ? '\n' : text[from];
    }
    text[to] = '\0';
    d->source.count = to;
}

static uint32_t line_of(const struct detector *d, size_t at) {
    uint32_t line = 1;
    for (size_t i = 0; i < at; i++)
        line += d->source.items[i] == '\n';
    return line;
}

static bool check_text(struct detector *d) {
    static const char mark[] = "\xef\xbb\xbf";
    if (d->source.count >= 3 && memcmp(d->source.items, mark, 3) == 0) {
        d->source.count -= 3;
        memmove(d->source.items, d->source.items + 3, d->source.count + 1);
    }
    unify_line_ends(d);
    if (!check_coding(d))
        return false;
    if (utf8_prefix(d->source.items, d->source.count) != d->source.count)
        return refuse(d, "not valid UTF-8");
    const char *zero = memchr(d->source.items, '\0', d->source.count);
    if (zero != NULL) {
        snprintf(d->reason, sizeof d->reason, "syntax error at line %u",
                 line_of(d, (size_t)(zero - d->source.items)));
        return false;
    }
    return true;
}

bool source_read(struct detector *d, int root) {
    struct stat status;
    d->source.count = 0;
    d->read_bytes = 0;
    if (!d->file->regular)
        return refuse(d, "not a regular file");
    int fd = openat(root, d->file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0)
        return refuse_errno(d);
    bool good = false;
    if (fstat(fd, &status) != 0)
        refuse_errno(d);
    else if (!S_ISREG(status.st_mode))
        refuse(d, "not a regular file");
    else if (status.st_size > SOURCE_LIMIT)
        refuse(d, "too large");
    else
        good = read_all(d, fd, (size_t)status.st_size) && check_text(d);
    close(fd);
    return good;
}
