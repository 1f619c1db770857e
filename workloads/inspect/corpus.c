/* SPDX-License-Identifier: MIT
 * corpus.c -- walks the tree with a list of folders still to read, so that depth costs no stack. */
#include "corpus.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ARRAY(char *) paths;

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool skipped_folder(const char *name) {
    return name[0] == '.' || strcmp(name, "site-packages") == 0 || strcmp(name, "__pycache__") == 0;
}

static char *join(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = must_realloc(NULL, size);
    snprintf(path, size, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
    return path;
}

static void add_failure(struct corpus *corpus, const char *path, const char *reason) {
    *array_push(&corpus->failures) =
        (struct corpus_failure){must_copy(path, strlen(path)), must_copy(reason, strlen(reason))};
}

static void add_entry(struct corpus *corpus, int folder_fd, const char *folder, const char *name,
                      void *folders) {
    paths *todo = folders;
    struct stat status;
    if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (ends_with(name, ".py")) {
            char *path = join(folder, name);
            add_failure(corpus, path, errno == ENOENT ? "vanished" : strerror(errno));
            free(path);
        }
        return;
    }
    if (S_ISDIR(status.st_mode)) {
        if (!skipped_folder(name))
            *array_push(todo) = join(folder, name);
    } else if (ends_with(name, ".py") && !S_ISLNK(status.st_mode)) {
        *array_push(&corpus->files) =
            (struct source_file){.path = join(folder, name),
                                 .bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0,
                                 .regular = S_ISREG(status.st_mode)};
    }
}

static void read_folder(struct corpus *corpus, const char *folder, paths *todo) {
    int fd = openat(corpus->root, folder[0] != '\0' ? folder : ".",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | (folder[0] != '\0' ? O_NOFOLLOW : 0));
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        add_failure(corpus, folder[0] != '\0' ? folder : ".",
                    errno == ENOENT ? "vanished" : strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *entry;
    for (errno = 0; (entry = readdir(stream)) != NULL; errno = 0) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            add_entry(corpus, fd, folder, entry->d_name, todo);
    }
    if (errno != 0)
        add_failure(corpus, folder[0] != '\0' ? folder : ".", strerror(errno));
    closedir(stream);
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct source_file *)a)->path, ((const struct source_file *)b)->path);
}

static bool has_init(const struct corpus *corpus, const char *folder, size_t length) {
    char *copy = must_copy(folder, length);
    struct source_file wanted = {.path = join(copy, "__init__.py")};
    const struct source_file *found =
        corpus->files.count == 0
            ? NULL
            : bsearch(&wanted, corpus->files.items, corpus->files.count, sizeof wanted, by_path);
    free(wanted.path);
    free(copy);
    return found != NULL && found->regular;
}

/* Names a file's module: goes up from its folder while that is a package. root_package is the
 * name of DIR itself where DIR is a package, else NULL. */
static void name_module(struct corpus *corpus, struct source_file *file, const char *root_package) {
    const char *slash = strrchr(file->path, '/');
    const char *stem = slash != NULL ? slash + 1 : file->path;
    size_t folder = slash != NULL ? (size_t)(slash - file->path) : 0, top = folder;
    bool rooted = folder == 0 && root_package != NULL;
    file->in_package = rooted;
    while (top > 0 && has_init(corpus, file->path, top)) {
        file->in_package = true;
        while (top > 0 && file->path[top - 1] != '/')
            top--;
        if (top == 0)
            rooted = root_package != NULL;
        else
            top--;
    }
    size_t start = top > 0 ? top + 1 : 0;
    char *package = must_copy(file->path + start, folder > start ? folder - start : 0);
    for (char *c = package; *c != '\0'; c++) {
        if (*c == '/')
            *c = '.';
    }
    if (rooted) {
        char *below = package;
        size_t size = strlen(root_package) + strlen(below) + 2;
        package = must_realloc(NULL, size);
        snprintf(package, size, "%s%s%s", root_package, below[0] != '\0' ? "." : "", below);
        free(below);
    }
    size_t stem_length = strlen(stem) - strlen(".py");
    bool is_init = stem_length == 8 && memcmp(stem, "__init__", 8) == 0 && file->in_package;
    size_t size = strlen(package) + stem_length + 2;
    file->module = must_realloc(NULL, size);
    file->package_bytes = (uint32_t)strlen(package);
    if (is_init)
        snprintf(file->module, size, "%s", package);
    else
        snprintf(file->module, size, "%s%s%.*s", package, package[0] != '\0' ? "." : "",
                 (int)stem_length, stem);
    free(package);
}

static int larger_first(const void *a, const void *b, void *context) {
    const struct source_file *files = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (files[x].bytes != files[y].bytes)
        return files[x].bytes < files[y].bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

static int by_module(const void *a, const void *b, void *context) {
    const struct source_file *files = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = strcmp(files[x].module, files[y].module);
    return order != 0 ? order : x < y ? -1 : x > y;
}

/* The name of DIR as a package: its own, whatever way it was given. NULL: it is none. */
static char *package_of_root(const struct corpus *corpus, const char *dir) {
    if (!has_init(corpus, "", 0))
        return NULL;
    char *real = realpath(dir, NULL);
    if (real == NULL)
        return NULL;
    const char *name = strrchr(real, '/') + 1;
    char *copy = name[0] != '\0' ? must_copy(name, strlen(name)) : NULL;
    free(real);
    return copy;
}

bool corpus_read(struct corpus *corpus, const char *dir) {
    memset(corpus, 0, sizeof *corpus);
    corpus->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (corpus->root < 0)
        return false;
    paths todo = {NULL, 0, 0};
    for (*array_push(&todo) = must_copy("", 0); todo.count > 0;) {
        char *folder = todo.items[--todo.count];
        read_folder(corpus, folder, &todo);
        free(folder);
    }
    free(todo.items);

    uint32_t count = corpus->files.count;
    if (count > 0)
        qsort(corpus->files.items, count, sizeof *corpus->files.items, by_path);
    char *root_package = package_of_root(corpus, dir);
    corpus->largest_first = must_realloc(NULL, count * sizeof(uint32_t));
    corpus->by_module = must_realloc(NULL, count * sizeof(uint32_t));
    for (uint32_t i = 0; i < count; i++) {
        name_module(corpus, &corpus->files.items[i], root_package);
        corpus->largest_first[i] = corpus->by_module[i] = i;
    }
    free(root_package);
    corpus->work_count = count;
    qsort_r(corpus->largest_first, count, sizeof(uint32_t), larger_first, corpus->files.items);
    qsort_r(corpus->by_module, count, sizeof(uint32_t), by_module, corpus->files.items);
    return true;
}

void corpus_sample(struct corpus *corpus, uint32_t count) {
    for (uint32_t i = 0; i < count && count < corpus->work_count; i++)
        corpus->largest_first[i] = corpus->largest_first[(uint64_t)i * corpus->work_count / count];
    if (count < corpus->work_count)
        corpus->work_count = count;
}

void corpus_end(struct corpus *corpus) {
    for (uint32_t i = 0; i < corpus->files.count; i++) {
        free(corpus->files.items[i].path);
        free(corpus->files.items[i].module);
    }
    for (uint32_t i = 0; i < corpus->failures.count; i++) {
        free(corpus->failures.items[i].path);
        free(corpus->failures.items[i].reason);
    }
    free(corpus->files.items);
    free(corpus->failures.items);
    free(corpus->largest_first);
    free(corpus->by_module);
    close(corpus->root);
}

uint32_t corpus_find_module(const struct corpus *corpus, const char *module) {
    uint32_t low = 0, high = corpus->files.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(corpus->files.items[corpus->by_module[middle]].module, module) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == corpus->files.count ||
        strcmp(corpus->files.items[corpus->by_module[low]].module, module) != 0)
        return NO_FILE;
    return corpus->by_module[low];
}
