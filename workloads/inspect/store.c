/* SPDX-License-Identifier: MIT
 * store.c -- findings into SQLite, in one transaction: after a crash or a second Ctrl-C the database
 * has what it had before. docs/inspect.md describes the tables. */
#include "run.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct store {
    sqlite3 *db;
};

enum { APPLICATION_ID = 0x6c69646f }; /* "lido": nobody else's database is overwritten */

static char *describe(sqlite3 *db, const char *what) {
    const char *why = db != NULL ? sqlite3_errmsg(db) : "out of memory";
    size_t size = strlen(what) + strlen(why) + 3;
    char *text = must_realloc(NULL, size);
    snprintf(text, size, "%s: %s", what, why);
    return text;
}

static bool execute(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int read_number(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement;
    int number = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

struct store *store_open(const char *path, char **message) {
    static const char schema[] =
        "DROP TABLE IF EXISTS places; DROP TABLE IF EXISTS findings; DROP TABLE IF EXISTS files;"
        "CREATE TABLE files(id INTEGER PRIMARY KEY, path TEXT NOT NULL, bytes INTEGER NOT NULL,"
        " reason TEXT);"
        "CREATE TABLE findings(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL,"
        " strength INTEGER NOT NULL, degree INTEGER NOT NULL, locality TEXT NOT NULL,"
        " heuristic INTEGER NOT NULL);"
        "CREATE TABLE places(finding_id INTEGER NOT NULL REFERENCES findings(id),"
        " file_id INTEGER NOT NULL REFERENCES files(id), line INTEGER NOT NULL,"
        " role TEXT NOT NULL, function TEXT);";
    struct store *store = must_realloc(NULL, sizeof *store);
    bool good = sqlite3_open(path, &store->db) == SQLITE_OK;
    if (good)
        sqlite3_busy_timeout(store->db, 5000);
    good = good && execute(store->db, "BEGIN IMMEDIATE");
    int tables = good ? read_number(store->db, "SELECT count(*) FROM sqlite_master") : 0;
    int owner = good ? read_number(store->db, "PRAGMA application_id") : APPLICATION_ID;
    if (good && tables > 0 && owner != APPLICATION_ID) {
        *message = must_copy("it is a database of something else; name another file", 49);
        store_abandon(store);
        return NULL;
    }
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d", APPLICATION_ID);
    if (!good || !execute(store->db, pragma) || !execute(store->db, schema)) {
        *message = describe(store->db, "cannot be written");
        store_abandon(store);
        return NULL;
    }
    return store;
}

void store_abandon(struct store *store) {
    sqlite3_close(store->db); /* rolls back */
    free(store);
}

static bool insert_files(sqlite3_stmt *insert, const struct run *run) {
    for (uint32_t i = 0; i < run->corpus.files.count; i++) {
        const struct file_result *result = &run->groups.files[i];
        if (!result->done)
            continue;
        char *path = storable(run->corpus.files.items[i].path);
        sqlite3_bind_int64(insert, 1, (int64_t)i + 1);
        sqlite3_bind_text(insert, 2, path, -1, free);
        sqlite3_bind_int64(insert, 3, (int64_t)result->bytes);
        sqlite3_bind_text(insert, 4, result->reason, -1, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            return false;
        sqlite3_reset(insert);
    }
    for (uint32_t i = 0; i < run->corpus.failures.count; i++) { /* folders, after the files */
        char *path = storable(run->corpus.failures.items[i].path);
        sqlite3_bind_int64(insert, 1, (int64_t)run->corpus.files.count + i + 1);
        sqlite3_bind_text(insert, 2, path, -1, free);
        sqlite3_bind_int64(insert, 3, 0);
        sqlite3_bind_text(insert, 4, run->corpus.failures.items[i].reason, -1, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            return false;
        sqlite3_reset(insert);
    }
    return true;
}

static bool insert_places(sqlite3_stmt *insert, const struct groups *groups, uint32_t number) {
    const struct finding *finding = &groups->findings.items[number];
    for (uint32_t i = 0; i < finding->degree; i++) {
        const struct place *place = &groups->places.items[finding->first + i];
        sqlite3_bind_int64(insert, 1, (int64_t)number + 1);
        sqlite3_bind_int64(insert, 2, (int64_t)place->file + 1);
        sqlite3_bind_int64(insert, 3, place->line);
        sqlite3_bind_text(insert, 4, role_names[place->role], -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 5, place_function(groups, place), -1, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            return false;
        sqlite3_reset(insert);
    }
    return true;
}

static bool insert_findings(sqlite3_stmt *insert, sqlite3_stmt *insert_place,
                            const struct groups *groups) {
    for (uint32_t i = 0; i < groups->findings.count; i++) {
        const struct finding *finding = &groups->findings.items[i];
        sqlite3_bind_int64(insert, 1, (int64_t)i + 1);
        sqlite3_bind_text(insert, 2, finding_kind_name(groups, finding), -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 3, strings_text(&groups->strings, finding->key), -1,
                          SQLITE_STATIC);
        sqlite3_bind_int(insert, 4, finding->strength);
        sqlite3_bind_int64(insert, 5, finding->degree);
        sqlite3_bind_text(insert, 6, locality_names[finding->locality], -1, SQLITE_STATIC);
        sqlite3_bind_int(insert, 7, finding->heuristic);
        if (sqlite3_step(insert) != SQLITE_DONE || !insert_places(insert_place, groups, i))
            return false;
        sqlite3_reset(insert);
    }
    return true;
}

bool store_write(struct store *store, const struct run *run, char **message) {
    static const char *const sql[3] = {"INSERT INTO files VALUES(?,?,?,?)",
                                       "INSERT INTO findings VALUES(?,?,?,?,?,?,?)",
                                       "INSERT INTO places VALUES(?,?,?,?,?)"};
    sqlite3_stmt *insert[3] = {NULL, NULL, NULL};
    bool good = true;
    for (int i = 0; i < 3 && good; i++)
        good = sqlite3_prepare_v2(store->db, sql[i], -1, &insert[i], NULL) == SQLITE_OK;
    good =
        good && insert_files(insert[0], run) && insert_findings(insert[1], insert[2], &run->groups);
    if (!good)
        *message = describe(store->db, "cannot be written");
    for (int i = 0; i < 3; i++)
        sqlite3_finalize(insert[i]);
    if (good && !execute(store->db, "COMMIT")) {
        *message = describe(store->db, "cannot be written");
        good = false;
    }
    store_abandon(store);
    return good;
}
