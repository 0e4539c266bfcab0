#pragma once
#include <sqlite3.h>
#include <stdint.h>

/* What Swift's importer cannot see: SQLITE_TRANSIENT and SQLITE_STATIC are casts of numbers to functions. And a null pointer would bind NULL, where an
 * empty text or blob is meant: no bytes may be anywhere. */

/* SQLite copies the bytes. */
static inline int pagetape_bind_text(sqlite3_stmt *statement, int parameter, const void *bytes, uint64_t count) {
  return sqlite3_bind_text64(statement, parameter, bytes ? (const char *)bytes : "", count, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static inline int pagetape_bind_blob(sqlite3_stmt *statement, int parameter, const void *bytes, uint64_t count) {
  return sqlite3_bind_blob64(statement, parameter, bytes ? bytes : "", count, SQLITE_TRANSIENT);
}

/* The bytes must stay where they are until the statement was run and the parameter bound anew. */
static inline int pagetape_lend_blob(sqlite3_stmt *statement, int parameter, const void *bytes, uint64_t count) {
  return sqlite3_bind_blob64(statement, parameter, bytes ? bytes : "", count, SQLITE_STATIC);
}
