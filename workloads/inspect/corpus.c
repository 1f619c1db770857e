/* SPDX-License-Identifier: MIT
 * corpus.c -- the Python files below a folder, their modules, and the order of work. */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

static bool is_skipped(const char *folder) {
    return folder[0] == '.' || strcmp(folder, "site-packages") == 0 ||
           strcmp(folder, "__pycache__") == 0;
}

static int compare_path(const void *path, const void *file) {
    return strcmp(path, ((const struct source_file *)file)->path);
}

/* Whether the folder that the first bytes of a path name holds a regular __init__.py. */
static bool is_package(const struct corpus *corpus, const char *path, size_t length) {
    struct text init = {NULL, 0, 0};
    text_print(&init, "%.*s%s__init__.py", (int)length, path, length > 0 ? "/" : "");
    *array_push(&init) = '\0';
    const struct source_file *found = bsearch(init.items, corpus->files.items, corpus->files.count,
                                              sizeof *corpus->files.items, compare_path);
    free(init.items);
    return found != NULL && found->reason == NULL;
}

/* Names a file's module: up from its folder while that is a package. root_package is the name of DIR
 * where DIR is a package, else NULL. */
static void name_module(const struct corpus *corpus, struct source_file *file,
                        const char *root_package) {
    const char *slash = strrchr(file->path, '/'), *stem = slash != NULL ? slash + 1 : file->path;
    size_t folder = slash != NULL ? (size_t)(slash - file->path) : 0, top = folder,
           length = strlen(stem);
    struct text module = {NULL, 0, 0};
    if (length < 3 || strcmp(stem + length - 3, ".py") != 0) { /* a folder */
        file->module = must_copy("", 0);
        return;
    }
    while (top > 0 && is_package(corpus, file->path, top)) {
        file->in_package = true;
        do
            top--;
        while (top > 0 && file->path[top] != '/');
    }
    if (top == 0 && root_package != NULL && (folder == 0 || file->in_package)) {
        file->in_package = true;
        text_print(&module, "%s%s", root_package, folder > 0 ? "." : "");
    }
    for (size_t i = top > 0 ? top + 1 : 0; i < folder; i++)
        *array_push(&module) = file->path[i] == '/' ? '.' : file->path[i];
    file->package_bytes = module.count;
    if (!file->in_package || strcmp(stem, "__init__.py") != 0)
        text_print(&module, "%s%.*s", module.count > 0 ? "." : "", (int)length - 3, stem);
    *array_push(&module) = '\0';
    file->module = module.items;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint64_t *corpus_order(const struct corpus *corpus, bool by_weight) {
    uint64_t *order = must_realloc(NULL, corpus->files.count * sizeof *order);
    for (uint32_t i = 0; i < corpus->files.count; i++) {
        const struct source_file *file = &corpus->files.items[i];
        uint64_t size = by_weight ? file->weight : file->bytes;
        order[i] = (UINT32_MAX - (size < UINT32_MAX ? size : UINT32_MAX)) << 32 | i;
    }
    qsort(order, corpus->files.count, sizeof *order, ascending);
    return order;
}

bool corpus_read(struct corpus *corpus, const char *dir, uint32_t sample) {
    memset(corpus, 0, sizeof *corpus);
    if (!files_find(&corpus->found, dir, ".py", is_skipped))
        return false;
    uint32_t count = corpus->found.items.count;
    for (uint32_t i = 0; i < count; i++) {
        struct found_file *found = &corpus->found.items.items[i];
        *array_push(&corpus->files) = (struct source_file){
            .path = found->path, .reason = found->reason, .bytes = found->bytes};
        found->reason = NULL; /* now the file's */
    }
    char *real = count > 0 && is_package(corpus, "", 0) ? realpath(dir, NULL) : NULL;
    const char *root_package = real != NULL && real[1] != '\0' ? strrchr(real, '/') + 1 : NULL;
    corpus->work = corpus_order(corpus, false);
    for (uint32_t i = 0; i < count; i++) {
        name_module(corpus, &corpus->files.items[i], root_package);
        const char *module = corpus->files.items[i].module;
        if (strings_put(&corpus->modules, module, (uint32_t)strlen(module)) >
            corpus->module_files.count)
            *array_push(&corpus->module_files) = i;
    }
    free(real);
    corpus->work_count = sample > 0 && sample < count ? sample : count;
    for (uint32_t i = 0; i < corpus->work_count; i++)
        corpus->work[i] = corpus->work[(uint64_t)i * count / corpus->work_count];
    return true;
}

void corpus_end(struct corpus *corpus) {
    for (uint32_t i = 0; i < corpus->files.count; i++) {
        free(corpus->files.items[i].module);
        free(corpus->files.items[i].reason);
    }
    free(corpus->files.items);
    free(corpus->work);
    strings_end(&corpus->modules);
    free(corpus->module_files.items);
    files_end(&corpus->found);
}

uint32_t corpus_find_module(struct corpus *corpus, const char *module) {
    uint32_t id = strings_put(&corpus->modules, module, (uint32_t)strlen(module));
    return id <= corpus->module_files.count ? corpus->module_files.items[id - 1] : NONE;
}
