/* SPDX-License-Identifier: MIT
 * bundle.c -- see bundle.h. */
#include "bundle.h"

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static bool read_part(struct bundle *bundle, const struct found_files *files, const char *path,
                      const char *shown, const char *suffix, const char *prefix,
                      uint32_t limit_bytes, struct text *why) {
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t length = strlen(name), end = strlen(suffix);
    struct text text = {NULL, 0, 0}, full = {NULL, 0, 0};
    const char *reason = files_read(files, path, limit_bytes, &text);
    if (reason == NULL) {
        length -= length > end && strcmp(name + length - end, suffix) == 0 ? end : 0;
        text_print(&full, "%s%.*s", prefix, (int)length, name);
        *array_push(&bundle->parts) =
            (struct bundle_part){full.items, must_copy(shown, strlen(shown)), bundle->text.count};
        text_add(&bundle->text, text.items, text.count);
        text_add(&bundle->text, "\n", 1);
    } else {
        text_print(why, "%s: %s", shown, reason);
    }
    free(text.items);
    return reason == NULL;
}

bool bundle_read(struct bundle *bundle, const char *path, const char *suffix, const char *prefix,
                 uint32_t file_limit_bytes, struct text *why) {
    struct found_files files, here = {.root = AT_FDCWD};
    bool good = true;
    if (!files_find(&files, path, suffix, NULL)) {
        if (errno == ENOTDIR)
            return read_part(bundle, &here, path, path, suffix, prefix, file_limit_bytes, why);
        text_print(why, "%s: %s", path, strerror(errno));
        return false;
    }
    for (uint32_t i = 0; i < files.items.count && good; i++) {
        struct text shown = {NULL, 0, 0};
        text_print(&shown, "%s/%s", path, files.items.items[i].path);
        good = read_part(bundle, &files, files.items.items[i].path, shown.items, suffix, prefix,
                         file_limit_bytes, why);
        free(shown.items);
    }
    if (files.items.count == 0)
        text_print(why, "%s: has no *%s files", path, suffix);
    good = good && files.items.count > 0;
    files_end(&files);
    return good;
}

void bundle_end(struct bundle *bundle) {
    for (uint32_t i = 0; i < bundle->parts.count; i++) {
        free(bundle->parts.items[i].name);
        free(bundle->parts.items[i].path);
    }
    free(bundle->parts.items);
    free(bundle->text.items);
}

uint32_t bundle_part_at(const struct bundle *bundle, uint32_t byte) {
    uint32_t part = 0;
    while (part + 1 < bundle->parts.count && bundle->parts.items[part + 1].start <= byte)
        part++;
    return part;
}

uint32_t bundle_part_end(const struct bundle *bundle, uint32_t part) {
    return part + 1 < bundle->parts.count ? bundle->parts.items[part + 1].start
                                          : bundle->text.count;
}

uint32_t bundle_line_at(const struct bundle *bundle, uint32_t byte) {
    uint32_t line = 1;
    for (uint32_t i = bundle->parts.items[bundle_part_at(bundle, byte)].start; i < byte; i++)
        line += bundle->text.items[i] == '\n';
    return line;
}
