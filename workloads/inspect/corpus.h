/* SPDX-License-Identifier: MIT
 * corpus.h -- the Python files below a folder, their modules, and the order of work. */
#ifndef INSPECT_CORPUS_H
#define INSPECT_CORPUS_H

#include "text.h"

struct source_file {
    char *path;   /* relative to DIR, with '/' */
    char *module; /* "json.decoder" */
    uint64_t bytes;
    uint32_t package_bytes; /* length of the package in module; meaningless without one */
    bool in_package;
    bool regular;
};

struct corpus_failure {
    char *path;
    char *reason;
};

struct corpus {
    int root;                              /* DIR, open */
    ARRAY(struct source_file) files;       /* by path, bytewise */
    ARRAY(struct corpus_failure) failures; /* folders that could not be read */
    uint32_t *largest_first;               /* numbers of files: the work */
    uint32_t work_count;
    uint32_t *by_module; /* numbers of files, by module, then by path */
};

#define NO_FILE UINT32_MAX

/* Reads the tree; false: DIR itself cannot be opened (errno says why). */
bool corpus_read(struct corpus *corpus, const char *dir);
void corpus_end(struct corpus *corpus);

/* Leaves only so many files of the work, evenly chosen by size. */
void corpus_sample(struct corpus *corpus, uint32_t count);

/* Returns  the file that a module name means, or NO_FILE. */
uint32_t corpus_find_module(const struct corpus *corpus, const char *module);

#endif
