/* SPDX-License-Identifier: MIT
 * files.h -- walks a folder and reads files of which nothing is known: FIFOs, links, vanished ones. */
#ifndef COMMON_FILES_H
#define COMMON_FILES_H

#include "text.h"

struct found_file {
    char *path;   /* relative to the folder, with '/' */
    char *reason; /* a folder or file that cannot be read: why; else NULL */
    uint64_t bytes;
};

struct found_files {
    int root;                       /* the folder, open */
    ARRAY(struct found_file) items; /* by path, bytewise */
};

/* Finds what ends in `suffix` below a folder, links not followed, folders for which skip (or NULL) is true left
 * out. A folder that cannot be read is an item with a reason. false: errno says why. */
bool files_find(struct found_files *files, const char *folder, const char *suffix,
                bool (*skip)(const char *name));
void files_end(struct found_files *files);

/* Reads a regular file whole, with a zero byte behind that does not count. Returns NULL, or why not;
 * the text lives as long as the thread makes no other call. */
const char *files_read(const struct found_files *files, const char *path, uint32_t limit_bytes,
                       struct text *out);

#endif
