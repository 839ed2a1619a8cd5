// The plugin sql: tables come in as JSON, a question in SQL, the rows of the
// answer go out. SQLite runs inside of the component, in its memory alone.

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "wardian.h"

// More rows no model reads; what comes behind them is said to be there.
#define ROWS_MAX 500
// Steps of SQLite's machine between two looks at whether to go on.
#define STEPS_BETWEEN 20000
// Kept of the call's time for writing the answer.
#define RESERVE_MS 500

static const wardian_tool tools[] = {
    {
        .name = "sql_query",
        .description =
            "Answers a question about tables with one SQL statement (SQLite). Give each table as a list of objects: the keys are"
            " its columns. Use it to filter, join, group and sort data that is at hand, instead of doing so by reading.",
        .input =
            "{\"type\": \"object\", \"properties\": {"
            "\"tables\": {\"type\": \"object\", \"description\": \"The tables by name, each a list of rows.\","
            " \"additionalProperties\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\":"
            " {\"type\": [\"string\", \"number\", \"boolean\", \"null\"]}}}},"
            "\"sql\": {\"type\": \"string\", \"description\": \"One SELECT statement.\", \"minLength\": 1}},"
            "\"required\": [\"tables\", \"sql\"], \"additionalProperties\": false}",
        .output =
            "{\"type\": \"object\", \"properties\": {"
            "\"columns\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}},"
            "\"rows\": {\"type\": \"array\", \"items\": {\"type\": \"array\", \"items\": {\"type\": [\"string\", \"number\", \"null\"]}}},"
            "\"more\": {\"type\": \"boolean\", \"description\": \"Whether there are further rows.\"}},"
            "\"required\": [\"columns\", \"rows\", \"more\"], \"additionalProperties\": false}",
        .traits = WARDIAN_PURE,
        .annotations =
            "{\"title\": \"Ask tables in SQL\", \"examples\": [{\"input\": {\"tables\": {\"sales\": [{\"city\": \"Bern\", \"sum\": 3},"
            " {\"city\": \"Bern\", \"sum\": 4}]}, \"sql\": \"SELECT city, sum(sum) AS total FROM sales GROUP BY city\"},"
            " \"output\": {\"columns\": [\"city\", \"total\"], \"rows\": [[\"Bern\", 7]], \"more\": false}}]}",
    },
};

const wardian_tool *wardian_tools(size_t *count) {
  *count = sizeof tools / sizeof *tools;
  return tools;
}

// What SQLite says about a statement is for the model to mend.
static bool wrong(sqlite3 *db) {
  switch (sqlite3_errcode(db)) {
    case SQLITE_NOMEM: return wardian_fail(WARDIAN_REFUSED, "the tables do not fit into the memory of this tool; send fewer rows");
    case SQLITE_INTERRUPT: return wardian_fail(WARDIAN_REFUSED, "the query takes too long; narrow it or send fewer rows");
    default: return wardian_fail(WARDIAN_INVALID_INPUT, "SQLite says: %s", sqlite3_errmsg(db));
  }
}

static int give_up(void *unused) {
  (void)unused;
  return wardian_feedback_cancelled() || wardian_context_time_left() < RESERVE_MS;
}

static bool run(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || wrong(db); }

// A name as SQL wants it where it may be anything.
static const char *name(const char *text) {
  char *quoted = sqlite3_mprintf("\"%w\"", text);
  const char *kept = wardian_format("%s", quoted ? quoted : "");
  sqlite3_free(quoted);
  return kept;
}

// Columns are those of all rows, in the order in which they first come up.
static const wardian_json *columns(const wardian_json *rows) {
  wardian_json *all = wardian_alloc(sizeof *all);
  const wardian_json **last = &all->first;
  all->kind = WARDIAN_OBJECT;
  for (const wardian_json *row = rows->first; row != NULL; row = row->next) {
    for (const wardian_json *cell = row->first; cell != NULL; cell = cell->next) {
      if (wardian_get(all, cell->key) != NULL) continue;
      wardian_json *column = wardian_alloc(sizeof *column);
      column->key = cell->key;
      *last = column;
      last = &column->next;
      all->count++;
    }
  }
  return all;
}

static int bind(sqlite3_stmt *insert, int at, const wardian_json *cell) {
  if (cell == NULL || cell->kind == WARDIAN_NULL) return sqlite3_bind_null(insert, at);
  if (cell->kind == WARDIAN_BOOL) return sqlite3_bind_int(insert, at, cell->truth);
  if (cell->kind == WARDIAN_STRING) return sqlite3_bind_text(insert, at, cell->text, -1, SQLITE_STATIC);
  errno = 0;
  long long whole = strtoll(cell->text, NULL, 10);
  bool is_whole = errno == 0 && strpbrk(cell->text, ".eE") == NULL;
  return is_whole ? sqlite3_bind_int64(insert, at, whole) : sqlite3_bind_double(insert, at, cell->number);
}

static bool insert_rows(sqlite3 *db, const wardian_json *rows, const wardian_json *all, const char *sql) {
  sqlite3_stmt *insert = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &insert, NULL) != SQLITE_OK) return wrong(db);
  bool ok = true;
  for (const wardian_json *row = rows->first; ok && row != NULL; row = row->next) {
    int at = 1;
    for (const wardian_json *column = all->first; ok && column != NULL; column = column->next)
      ok = bind(insert, at++, wardian_get(row, column->key)) == SQLITE_OK;
    ok = ok && sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK;
  }
  if (!ok) wrong(db);
  sqlite3_finalize(insert);
  return ok;
}

static bool load(sqlite3 *db, const wardian_json *table) {
  const wardian_json *all = columns(table);
  if (all->count == 0) return wardian_fail(WARDIAN_INVALID_INPUT, "table %s has no columns: give it at least one row", table->key);
  const char *names = "", *places = "";
  for (const wardian_json *column = all->first; column != NULL; column = column->next) {
    const char *comma = column->next ? ", " : "";
    names = wardian_format("%s%s%s", names, name(column->key), comma);
    places = wardian_format("%s?%s", places, comma);
  }
  return run(db, wardian_format("CREATE TABLE %s (%s)", name(table->key), names)) &&
         insert_rows(db, table, all, wardian_format("INSERT INTO %s VALUES (%s)", name(table->key), places));
}

static void cell(sqlite3_str *into, sqlite3_stmt *row, int at) {
  double number;
  switch (sqlite3_column_type(row, at)) {
    case SQLITE_INTEGER: sqlite3_str_appendf(into, "%lld", sqlite3_column_int64(row, at)); break;
    case SQLITE_FLOAT:
      number = sqlite3_column_double(row, at);
      sqlite3_str_appendf(into, isfinite(number) ? "%!.15g" : "null", number);
      break;
    case SQLITE_TEXT: sqlite3_str_appendall(into, wardian_quote((const char *)sqlite3_column_text(row, at))); break;
    case SQLITE_BLOB: sqlite3_str_appendf(into, "\"%d bytes\"", sqlite3_column_bytes(row, at)); break;
    default: sqlite3_str_appendall(into, "null");
  }
}

static bool answer(sqlite3 *db, sqlite3_stmt *query) {
  sqlite3_str *json = sqlite3_str_new(db);
  int width = sqlite3_column_count(query), state, count = 0;
  sqlite3_str_appendall(json, "{\"columns\": [");
  for (int at = 0; at < width; at++) sqlite3_str_appendf(json, "%s%s", at ? ", " : "", wardian_quote(sqlite3_column_name(query, at)));
  sqlite3_str_appendall(json, "], \"rows\": [");
  while ((state = sqlite3_step(query)) == SQLITE_ROW && count < ROWS_MAX) {
    sqlite3_str_appendall(json, count++ ? ", [" : "[");
    for (int at = 0; at < width; at++) {
      if (at) sqlite3_str_appendall(json, ", ");
      cell(json, query, at);
    }
    sqlite3_str_appendall(json, "]");
  }
  sqlite3_str_appendf(json, "], \"more\": %s}", state == SQLITE_ROW ? "true" : "false");
  char *text = sqlite3_str_finish(json);
  bool done = state == SQLITE_ROW || state == SQLITE_DONE ? text != NULL && wardian_data(text) : wrong(db);
  sqlite3_free(text);
  return done || wardian_failure() != NULL ? done : wardian_fail(WARDIAN_REFUSED, "the answer is too large; ask for fewer rows");
}

static bool ask(sqlite3 *db, const wardian_json *input) {
  const wardian_json *given = wardian_get(input, "tables");
  for (const wardian_json *table = given->first; table != NULL; table = table->next)
    if (!load(db, table)) return false;
  sqlite3_stmt *query = NULL;
  const char *rest = NULL;
  if (sqlite3_prepare_v2(db, wardian_get_string(input, "sql", ""), -1, &query, &rest) != SQLITE_OK) return wrong(db);
  bool done;
  if (query == NULL || !sqlite3_stmt_readonly(query) || sqlite3_column_count(query) == 0)
    done = wardian_fail(WARDIAN_INVALID_INPUT, "this is no SELECT statement");
  else if (rest[strspn(rest, " \t\r\n;")] != '\0')
    done = wardian_fail(WARDIAN_INVALID_INPUT, "one statement only: something stands behind it");
  else
    done = answer(db, query);
  sqlite3_finalize(query);
  return done;
}

bool wardian_invoke(const char *tool, const wardian_json *input) {
  if (strcmp(tool, "sql_query") != 0) return wardian_fail(WARDIAN_NOT_FOUND, "there is no tool %s", tool);
  sqlite3 *db = NULL;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) return wardian_fail(WARDIAN_FAILED, "SQLite does not start: %s", sqlite3_errmsg(db));
  sqlite3_progress_handler(db, STEPS_BETWEEN, give_up, NULL);
  bool done = ask(db, input);
  sqlite3_close(db);
  return done;
}
