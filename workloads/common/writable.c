/* SPDX-License-Identifier: MIT
 * writable.c -- see writable.h. Minutes of measuring must not end with a path that was wrong from the
 * start. */
#include "writable.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool writable_or_refuse(const char *command, const char *option, const char *path) {
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (strcmp(path, "-") == 0)
        return true;
    struct stat entry;
    bool is_there = stat(path, &entry) == 0;
    if (length >= sizeof folder) {
        errno = ENAMETOOLONG;
    } else if (is_there && S_ISDIR(entry.st_mode)) {
        errno = EISDIR;
    } else {
        if (length > 0)
            snprintf(folder, sizeof folder, "%.*s", (int)length, path);
        if (path[0] != '\0' && access(is_there ? path : folder, W_OK) == 0)
            return true;
    }
    fprintf(stderr,
            "%s: --%s is '%s', which cannot be written (%s); name a file in a folder of yours\n",
            command, option, path, strerror(errno));
    return false;
}
