/* SPDX-License-Identifier: MIT
 * store.c -- files, findings and places into SQLite; docs/inspect.md describes the tables. */
#include "parts.h"

#include "common/database.h"

#include <stdlib.h>

enum { APPLICATION_ID = 0x6c69646f }; /* "lido" */

sqlite3 *store_open(const char *path, char **message) {
    static const char schema[] =
        "DROP TABLE IF EXISTS places; DROP TABLE IF EXISTS findings; DROP TABLE IF EXISTS files;"
        "CREATE TABLE files(id INTEGER PRIMARY KEY, path TEXT NOT NULL, bytes INTEGER NOT NULL,"
        " reason TEXT);"
        "CREATE TABLE findings(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, "
        "strength"
        " INTEGER NOT NULL, degree INTEGER NOT NULL, locality TEXT NOT NULL, heuristic INTEGER NOT "
        "NULL);"
        "CREATE TABLE places(finding_id INTEGER NOT NULL REFERENCES findings(id), file_id INTEGER"
        " NOT NULL REFERENCES files(id), line INTEGER NOT NULL, role TEXT NOT NULL, function "
        "TEXT);";
    return database_open(path, APPLICATION_ID, schema, message);
}

static bool insert_files(sqlite3_stmt *files, const struct run *run) {
    bool good = files != NULL;
    for (uint32_t i = 0; i < run->corpus.files.count && good; i++) {
        const struct source_file *file = &run->corpus.files.items[i];
        char *path = storable(file->path);
        if (file->done)
            good = database_insert(files, "itit", (int64_t)i + 1, path, (int64_t)file->bytes,
                                   file->reason);
        free(path);
    }
    return good;
}

static bool insert_places(sqlite3_stmt *places, const struct run *run, uint32_t number) {
    const struct finding *finding = &run->findings.items[number];
    bool good = places != NULL;
    for (uint32_t i = 0; i < finding->degree && good; i++) {
        const struct fact *place = &run->facts.items[finding->first + i];
        const char *function = shared_strings_text(&run->strings, place->function_name);
        good = database_insert(places, "iiitt", (int64_t)number + 1, (int64_t)place->file + 1,
                               (int64_t)place->line, role_names[place->role],
                               place->function != NONE ? function : NULL);
    }
    return good;
}

static bool insert_findings(sqlite3_stmt *findings, sqlite3_stmt *places, const struct run *run) {
    bool good = findings != NULL;
    for (uint32_t i = 0; i < run->findings.count && good; i++) {
        const struct finding *f = &run->findings.items[i];
        good = database_insert(findings, "ittiiti", (int64_t)i + 1, f->kind_name,
                               shared_strings_text(&run->strings, f->key), (int64_t)f->strength,
                               (int64_t)f->degree, locality_names[f->locality],
                               (int64_t)f->heuristic) &&
               insert_places(places, run, i);
    }
    return good;
}

bool store_write(sqlite3 *db, const struct run *run, char **message) {
    sqlite3_stmt *files = database_prepare(db, "INSERT INTO files VALUES(?,?,?,?)");
    sqlite3_stmt *findings = database_prepare(db, "INSERT INTO findings VALUES(?,?,?,?,?,?,?)");
    sqlite3_stmt *places = database_prepare(db, "INSERT INTO places VALUES(?,?,?,?,?)");
    bool good = run != NULL && insert_files(files, run) && insert_findings(findings, places, run);
    return database_close(db, good, message);
}
