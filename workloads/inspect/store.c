/* SPDX-License-Identifier: MIT
 * store.c -- findings into SQLite, in one transaction: after a crash or a second Ctrl-C the database
 * has what it had before. docs/inspect.md describes the tables. */
#include "parts.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>

#define APPLICATION_ID "1818846319" /* "lido": nobody else's database is overwritten */

static bool execute(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static void describe(sqlite3 *db, char **message) {
    struct text text = {NULL, 0, 0};
    text_print(&text, "cannot be written: %s", db != NULL ? sqlite3_errmsg(db) : "out of memory");
    *array_push(&text) = '\0';
    *message = text.items;
}

/* Whether the database is empty or one of ours. */
static bool is_ours(sqlite3 *db) {
    sqlite3_stmt *ask;
    static const char question[] =
        "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master) OR application_id = " APPLICATION_ID
        " FROM pragma_application_id";
    bool ours = sqlite3_prepare_v2(db, question, -1, &ask, NULL) == SQLITE_OK &&
                sqlite3_step(ask) == SQLITE_ROW && sqlite3_column_int(ask, 0) != 0;
    sqlite3_finalize(ask);
    return ours;
}

sqlite3 *store_open(const char *path, char **message) {
    static const char schema[] =
        "PRAGMA application_id = " APPLICATION_ID ";"
        "DROP TABLE IF EXISTS places; DROP TABLE IF EXISTS findings; DROP TABLE IF EXISTS files;"
        "CREATE TABLE files(id INTEGER PRIMARY KEY, path TEXT NOT NULL, bytes INTEGER NOT NULL, "
        "reason TEXT);"
        "CREATE TABLE findings(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, "
        "strength INTEGER"
        " NOT NULL, degree INTEGER NOT NULL, locality TEXT NOT NULL, heuristic INTEGER NOT NULL);"
        "CREATE TABLE places(finding_id INTEGER NOT NULL REFERENCES findings(id), file_id INTEGER "
        "NOT NULL"
        " REFERENCES files(id), line INTEGER NOT NULL, role TEXT NOT NULL, function TEXT);";
    sqlite3 *db;
    bool good = sqlite3_open(path, &db) == SQLITE_OK &&
                sqlite3_busy_timeout(db, 5000) == SQLITE_OK && execute(db, "BEGIN IMMEDIATE");
    if (good && !is_ours(db))
        *message = must_copy("it is a database of something else; name another file", 53);
    else if (!good || !execute(db, schema))
        describe(db, message);
    else
        return db;
    sqlite3_close(db);
    return NULL;
}

/* Inserts a row; columns by letters: i an int64_t, t a text or NULL. */
static bool insert(sqlite3_stmt *statement, const char *columns, ...) {
    va_list values;
    va_start(values, columns);
    for (int i = 0; columns[i] != '\0'; i++) {
        if (columns[i] == 'i')
            sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
        else
            sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
    }
    va_end(values);
    bool good = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    return good;
}

static bool insert_files(sqlite3_stmt *files, const struct run *run) {
    bool good = true;
    for (uint32_t i = 0; i < run->corpus.files.count && good; i++) {
        const struct source_file *file = &run->corpus.files.items[i];
        char *path = storable(file->path);
        if (file->done)
            good = insert(files, "itit", (int64_t)i + 1, path, (int64_t)file->bytes, file->reason);
        free(path);
    }
    return good;
}

static bool insert_findings(sqlite3_stmt *findings, sqlite3_stmt *places, const struct run *run) {
    bool good = true;
    for (uint32_t i = 0; i < run->findings.count && good; i++) {
        const struct finding *finding = &run->findings.items[i];
        good = insert(findings, "ittiiti", (int64_t)i + 1, finding->kind_name,
                      strings_text(&run->strings, finding->key), (int64_t)finding->strength,
                      (int64_t)finding->degree, locality_names[finding->locality],
                      (int64_t)finding->heuristic);
        for (uint32_t j = 0; j < finding->degree && good; j++) {
            const struct fact *place = &run->facts.items[finding->first + j];
            good = insert(
                places, "iiitt", (int64_t)i + 1, (int64_t)place->file + 1, (int64_t)place->line,
                role_names[place->role],
                place->function != NONE ? strings_text(&run->strings, place->function_name) : NULL);
        }
    }
    return good;
}

bool store_write(sqlite3 *db, const struct run *run, char **message) {
    static const char *const sql[3] = {"INSERT INTO files VALUES(?,?,?,?)",
                                       "INSERT INTO findings VALUES(?,?,?,?,?,?,?)",
                                       "INSERT INTO places VALUES(?,?,?,?,?)"};
    sqlite3_stmt *into[3] = {NULL, NULL, NULL};
    bool good = run != NULL;
    for (int i = 0; i < 3 && good; i++)
        good = sqlite3_prepare_v2(db, sql[i], -1, &into[i], NULL) == SQLITE_OK;
    good = good && insert_files(into[0], run) && insert_findings(into[1], into[2], run);
    if (!good && run != NULL)
        describe(db, message);
    for (int i = 0; i < 3; i++)
        sqlite3_finalize(into[i]);
    if (good && !(good = execute(db, "COMMIT")))
        describe(db, message);
    sqlite3_close(db); /* rolls back what is not committed */
    return good;
}
