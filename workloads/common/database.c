/* SPDX-License-Identifier: MIT
 * database.c -- see database.h. */
#include "database.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool execute(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static void describe(sqlite3 *db, char **message) {
    struct text text = {NULL, 0, 0};
    text_print(&text, "cannot be written: %s", db != NULL ? sqlite3_errmsg(db) : "out of memory");
    *array_push(&text) = '\0';
    *message = text.items;
}

static int read_number(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = database_prepare(db, sql);
    int number = statement != NULL && sqlite3_step(statement) == SQLITE_ROW
                     ? sqlite3_column_int(statement, 0)
                     : -1;
    sqlite3_finalize(statement);
    return number;
}

sqlite3 *database_open(const char *path, int application_id, const char *schema, char **message) {
    static const char foreign[] = "it is a database of something else; name another file";
    char mark[64];
    sqlite3 *db;
    snprintf(mark, sizeof mark, "PRAGMA application_id = %d", application_id);
    bool good = sqlite3_open(path, &db) == SQLITE_OK &&
                sqlite3_busy_timeout(db, 5000) == SQLITE_OK && execute(db, "BEGIN IMMEDIATE");
    bool ours = good && (read_number(db, "SELECT count(*) FROM sqlite_master") == 0 ||
                         read_number(db, "PRAGMA application_id") == application_id);
    if (good && !ours)
        *message = must_copy(foreign, sizeof foreign - 1);
    else if (!good || !execute(db, mark) || !execute(db, schema))
        describe(db, message);
    else
        return db;
    sqlite3_close(db);
    return NULL;
}

bool database_close(sqlite3 *db, bool commit, char **message) {
    sqlite3_stmt *statement;
    bool good = commit && execute(db, "COMMIT");
    if (!good)
        describe(db, message);
    while ((statement = sqlite3_next_stmt(db, NULL)) != NULL)
        sqlite3_finalize(statement);
    sqlite3_close(db); /* rolls back what is not committed */
    return good;
}

sqlite3_stmt *database_prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    return statement;
}

bool database_insert(sqlite3_stmt *statement, const char *values, ...) {
    va_list list;
    va_start(list, values);
    for (int i = 0; values[i] != '\0'; i++) {
        if (values[i] == 'i')
            sqlite3_bind_int64(statement, i + 1, va_arg(list, int64_t));
        else
            sqlite3_bind_text(statement, i + 1, va_arg(list, const char *), -1, SQLITE_TRANSIENT);
    }
    va_end(list);
    bool good = sqlite3_step(statement) == SQLITE_DONE;
    if (good)
        sqlite3_reset(statement);
    return good;
}
