// Writing a Wardian plugin in C: describe the tools, run them.
//
//   const wardian_tool *wardian_tools(size_t *count);
//   bool wardian_invoke(const char *tool, const wardian_json *input);
//
// are the two functions that a plugin defines; all others are there to be called.
// What they return lives until the call ends: nothing has to be freed. Texts are
// UTF-8 and end with a NUL. A function that returns false has noted why: return
// false from wardian_invoke to pass that on, or go on to pass over it.

#ifndef WARDIAN_H
#define WARDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WARDIAN_FORMAT(at) __attribute__((format(printf, at, at + 1)))

// Tools -----------------------------------------------------------------------

// What a tool promises. None means that it may destroy things and reach anybody.
enum {
  WARDIAN_READ_ONLY = 1,     // changes nothing outside the call
  WARDIAN_IDEMPOTENT = 2,    // doing it twice with the same call id is doing it once
  WARDIAN_ADDITIVE = 4,      // only adds, never overwrites or removes
  WARDIAN_CLOSED_WORLD = 8,  // touches only what the operator granted
  WARDIAN_PURE = 15,         // all of it: only computes, or only reads what was granted
};

// One tool as the model sees it. `output` and `annotations` may be NULL.
typedef struct {
  const char *name;         // [a-z][a-z0-9_]{0,47}
  const char *description;  // for the model: what it does, when to use it, when not to
  const char *input;        // JSON Schema of the arguments; its root is an object
  const char *output;       // JSON Schema of the data in the answer
  unsigned traits;          // what it promises
  const char *annotations;  // a JSON object: "title", "examples"
} wardian_tool;

// A part of a JSON document.
typedef struct wardian_json wardian_json;

// Defined by the plugin: its tools. Must not call the host.
const wardian_tool *wardian_tools(size_t *count);

// Defined by the plugin: runs one call. The host has checked the input against
// the tool's schema. True once the answer is given, false where there is none.
bool wardian_invoke(const char *tool, const wardian_json *input);

// Answers ---------------------------------------------------------------------

// Each adds a part to the answer and returns true: `return wardian_text("done");`
bool wardian_text(const char *text);
bool wardian_data(const char *json);
bool wardian_dataf(const char *format, ...) WARDIAN_FORMAT(1);
bool wardian_blob(const char *media_type, const char *name, const void *bytes, size_t size);

// Why a call has no result: choose by what the caller should do next.
typedef enum {
  WARDIAN_INVALID_INPUT,  // the model should correct its arguments
  WARDIAN_NOT_FOUND,      // the thing named does not exist: choose another
  WARDIAN_UNAUTHORIZED,   // a credential or a grant is missing: the operator must act
  WARDIAN_REFUSED,        // understood and refused: do not retry
  WARDIAN_UNAVAILABLE,    // passing trouble: may be retried
  WARDIAN_FAILED,         // anything else
} wardian_reason;

// Notes why there is no result, for the model, and returns false.
bool wardian_fail(wardian_reason reason, const char *format, ...) WARDIAN_FORMAT(2);

// Adds to what was noted: a code for programs, and when a retry makes sense. Both return false.
bool wardian_fail_code(const char *code);
bool wardian_fail_retry_after(uint64_t milliseconds);

// What was noted last, or NULL.
const char *wardian_failure(void);

// Memory that lives until the call ends. Never NULL.
void *wardian_alloc(size_t size);
char *wardian_format(const char *format, ...) WARDIAN_FORMAT(1);

// JSON ------------------------------------------------------------------------

typedef enum { WARDIAN_NULL, WARDIAN_BOOL, WARDIAN_NUMBER, WARDIAN_STRING, WARDIAN_ARRAY, WARDIAN_OBJECT } wardian_kind;

struct wardian_json {
  wardian_kind kind;
  const char *key;            // its name, inside of an object
  const char *text;           // of a string; of a number, exactly as it was written
  double number;              // of a number
  bool truth;                 // of a boolean
  size_t count;               // of an array or object: how many are in it
  const wardian_json *first;  // of an array or object: what is in it
  const wardian_json *next;   // what follows in the same array or object
};

// Reads a text. NULL where it is no JSON, with the failure noted.
const wardian_json *wardian_parse(const char *text);

// A member of an object, or NULL: also where that is no object, or NULL itself.
const wardian_json *wardian_get(const wardian_json *object, const char *key);

// A member's value where it is there and of that kind, otherwise what is given.
const char *wardian_get_string(const wardian_json *object, const char *key, const char *otherwise);
double wardian_get_number(const wardian_json *object, const char *key, double otherwise);
bool wardian_get_bool(const wardian_json *object, const char *key, bool otherwise);

// A text as a JSON string, with its quotation marks.
const char *wardian_quote(const char *text);

// The host --------------------------------------------------------------------

// Bytes; a NUL that does not count stands behind them.
typedef struct {
  const char *data;
  size_t size;
} wardian_bytes;

// Names, in order.
typedef struct {
  const char *const *at;
  size_t count;
} wardian_names;

// Lines for the operator's log.
void wardian_log_debug(const char *format, ...) WARDIAN_FORMAT(1);
void wardian_log_info(const char *format, ...) WARDIAN_FORMAT(1);
void wardian_log_warn(const char *format, ...) WARDIAN_FORMAT(1);
void wardian_log_error(const char *format, ...) WARDIAN_FORMAT(1);

// The call: its id (the same when the host repeats it), for whom it runs, and
// milliseconds until the host ends it. The user and the trace may be NULL.
const char *wardian_context_id(void);
const char *wardian_context_session(void);
const char *wardian_context_agent(void);
const char *wardian_context_user(void);
const char *wardian_context_trace(void);
uint64_t wardian_context_time_left(void);

// A setting from the operator's file, or NULL.
const char *wardian_config_get(const char *key);
wardian_names wardian_config_keys(void);

// A credential that the operator chose to reveal, or NULL with the failure noted.
const char *wardian_secrets_reveal(const char *name);
bool wardian_secrets_ready(const char *name);

// The durable store: values of at most 64 KiB, kept once the call succeeds.
// A missing value is found to have `data` NULL.
bool wardian_store_get(const char *key, wardian_bytes *value);
bool wardian_store_set(const char *key, const void *value, size_t size);
bool wardian_store_delete(const char *key);
bool wardian_store_keys(const char *prefix, const char *after, uint32_t limit, wardian_names *keys);

// The same with JSON: `value` is NULL where there is none.
bool wardian_store_get_json(const char *key, const wardian_json **value);
bool wardian_store_set_json(const char *key, const char *json);

// Files that can be made again. They lie on the host's machine and may vanish.
bool wardian_cache_read(const char *name, wardian_bytes *file);
bool wardian_cache_write(const char *name, const void *bytes, size_t size);
bool wardian_cache_delete(const char *name);
bool wardian_cache_names(wardian_names *names);

// What a tool can say while it runs. A negative share is an unknown one.
void wardian_feedback_progress(float share, const char *note);
void wardian_feedback_emit_text(const char *text);
void wardian_feedback_emit_data(const char *json);
bool wardian_feedback_cancelled(void);

// HTTP ------------------------------------------------------------------------

typedef struct {
  const char *name;
  const char *value;
} wardian_header;

typedef struct {
  const char *method;  // "GET" where it is NULL
  const char *url;
  const wardian_header *headers;
  size_t header_count;
  wardian_bytes body;
} wardian_request;

typedef struct {
  unsigned status;
  const wardian_header *headers;
  size_t header_count;
  wardian_bytes body;
} wardian_response;

// Sends a request and reads the whole answer, whatever its status. False where
// there is none: not granted (unauthorized), not reached (unavailable), too large (refused).
bool wardian_http_request(const wardian_request *request, wardian_response *response);
bool wardian_http_get(const char *url, wardian_response *response);
bool wardian_http_post(const char *url, const char *content_type, wardian_bytes body, wardian_response *response);

// The value of a header, whatever the case of its name, or NULL.
const char *wardian_http_header(const wardian_response *response, const char *name);

#ifdef __cplusplus
}
#endif

#endif
