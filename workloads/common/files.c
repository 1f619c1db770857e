/* SPDX-License-Identifier: MIT
 * files.c -- see files.h. Folders still to read are a list, so that depth costs no stack. A file may
 * be anything by the time it is opened: nothing here blocks on a FIFO, trusts a size or follows a link. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ARRAY(char *) paths;

/* One walk. */
struct walk {
    struct found_files *files;
    const char *suffix;
    bool (*skip)(const char *name);
    paths todo;
};

static const char *why(int error) {
    return error == ENOENT                    ? "vanished"
           : error == ELOOP || error == ENXIO ? "not a regular file"
                                              : strerror(error);
}

static char *join(const char *folder, const char *name) {
    struct text path = {NULL, 0, 0};
    text_print(&path, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
    *array_push(&path) = '\0';
    return path.items;
}

static void add(struct walk *walk, char *path, const char *reason, uint64_t bytes) {
    *array_push(&walk->files->items) =
        (struct found_file){path, reason != NULL ? must_copy(reason, strlen(reason)) : NULL, bytes};
}

static void add_entry(struct walk *walk, int fd, const char *folder, const char *name) {
    size_t length = strlen(name), suffix = strlen(walk->suffix);
    bool wanted = length >= suffix && strcmp(name + length - suffix, walk->suffix) == 0;
    struct stat status;
    if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (wanted)
            add(walk, join(folder, name), why(errno), 0);
    } else if (S_ISDIR(status.st_mode)) {
        if (walk->skip == NULL || !walk->skip(name))
            *array_push(&walk->todo) = join(folder, name);
    } else if (wanted && !S_ISLNK(status.st_mode)) {
        bool regular = S_ISREG(status.st_mode);
        add(walk, join(folder, name), regular ? NULL : "not a regular file",
            (uint64_t)status.st_size);
    }
}

static void read_folder(struct walk *walk, const char *folder) {
    const char *path = folder[0] != '\0' ? folder : ".";
    int fd = openat(walk->files->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        add(walk, must_copy(path, strlen(path)), why(errno), 0);
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *entry;
    for (errno = 0; (entry = readdir(stream)) != NULL; errno = 0) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            add_entry(walk, fd, folder, entry->d_name);
    }
    if (errno != 0)
        add(walk, must_copy(path, strlen(path)), why(errno), 0);
    closedir(stream);
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct found_file *)a)->path, ((const struct found_file *)b)->path);
}

bool files_find(struct found_files *files, const char *folder, const char *suffix,
                bool (*skip)(const char *name)) {
    struct walk walk = {files, suffix, skip, {NULL, 0, 0}};
    memset(files, 0, sizeof *files);
    files->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->root < 0)
        return false;
    for (*array_push(&walk.todo) = must_copy("", 0); walk.todo.count > 0;) {
        char *next = walk.todo.items[--walk.todo.count];
        read_folder(&walk, next);
        free(next);
    }
    free(walk.todo.items);
    if (files->items.count > 0)
        qsort(files->items.items, files->items.count, sizeof *files->items.items, by_path);
    return true;
}

void files_end(struct found_files *files) {
    for (uint32_t i = 0; i < files->items.count; i++) {
        free(files->items.items[i].path);
        free(files->items.items[i].reason);
    }
    free(files->items.items);
    close(files->root);
}

static const char *read_all(int fd, size_t expected, uint32_t limit_bytes, struct text *out) {
    size_t room = expected + 2; /* one byte to see the end by, one for the zero */
    for (;;) {
        if (out->capacity < room) {
            out->items = must_realloc(out->items, room);
            out->capacity = (uint32_t)room;
        }
        ssize_t got = read(fd, out->items + out->count, out->capacity - 1 - out->count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return why(errno);
        if (got == 0)
            break;
        out->count += (uint32_t)got;
        if (out->count > limit_bytes)
            return "too large";
        if (out->count == out->capacity - 1) /* it has grown */
            room = (size_t)out->capacity * 2 < limit_bytes + 2u ? (size_t)out->capacity * 2
                                                                : limit_bytes + 2u;
    }
    out->items[out->count] = '\0';
    return NULL;
}

const char *files_read(const struct found_files *files, const char *path, uint32_t limit_bytes,
                       struct text *out) {
    struct stat status;
    const char *reason;
    int fd = openat(files->root, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    out->count = 0;
    if (fd < 0)
        return why(errno);
    if (fstat(fd, &status) != 0)
        reason = why(errno);
    else if (!S_ISREG(status.st_mode))
        reason = "not a regular file";
    else if (status.st_size > (off_t)limit_bytes)
        reason = "too large";
    else
        reason = read_all(fd, (size_t)status.st_size, limit_bytes, out);
    close(fd);
    return reason;
}
