/* SPDX-License-Identifier: MIT
 * database.h -- tables written to an SQLite file in one transaction: all of it, or what was there before. */
#ifndef COMMON_DATABASE_H
#define COMMON_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>

/* Opens a database, locks it for writing and runs a schema in it. A database with tables that does not
 * carry this application id is somebody else's and left alone. NULL: *message, to be freed. */
sqlite3 *database_open(const char *path, int application_id, const char *schema, char **message);
/* Commits if asked, ends all statements and closes. false: *message, to be freed; nothing was written. */
bool database_close(sqlite3 *db, bool commit, char **message);

/* Returns  a statement, which database_close ends; NULL: the database says why. */
sqlite3_stmt *database_prepare(sqlite3 *db, const char *sql);
/* Runs an INSERT with values by letters: i an int64_t, t a text or NULL. */
bool database_insert(sqlite3_stmt *statement, const char *values, ...);

#endif
