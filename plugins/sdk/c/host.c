// What the host offers to a call, in plain C.

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "sdk.h"

// The most that is read of a cached file at a time.
#define CACHE_READ_BYTES (1u << 20)

static sdk_string_t borrowed(const char *text) { return (sdk_string_t){.ptr = (uint8_t *)text, .len = strlen(text)}; }

// A text that the host gave, moved into the call's memory.
static const char *text(sdk_string_t *given) {
  const char *copy = wardian_copy(given->ptr, given->len);
  sdk_string_free(given);
  return copy;
}

static wardian_bytes bytes(sdk_list_u8_t *given) {
  wardian_bytes copy = {.data = wardian_copy(given->ptr, given->len), .size = given->len};
  sdk_list_u8_free(given);
  return copy;
}

static wardian_names names(sdk_list_string_t *given) {
  const char **at = wardian_alloc((given->len + 1) * sizeof *at);
  for (size_t i = 0; i < given->len; i++) at[i] = wardian_copy(given->ptr[i].ptr, given->ptr[i].len);
  wardian_names copy = {.at = at, .count = given->len};
  sdk_list_string_free(given);
  return copy;
}

// Log -------------------------------------------------------------------------

#define LOG(name, level)                          \
  void wardian_log_##name(const char *format, ...) { \
    va_list values;                               \
    va_start(values, format);                     \
    sdk_string_t line = borrowed(wardian_vformat(format, values)); \
    va_end(values);                               \
    wardian_plugin_log_write(level, &line);       \
  }

LOG(debug, WARDIAN_PLUGIN_LOG_LEVEL_DEBUG)
LOG(info, WARDIAN_PLUGIN_LOG_LEVEL_INFO)
LOG(warn, WARDIAN_PLUGIN_LOG_LEVEL_WARN)
LOG(error, WARDIAN_PLUGIN_LOG_LEVEL_ERROR)

// Context and feedback --------------------------------------------------------

#define CONTEXT(name)                             \
  const char *wardian_context_##name(void) {      \
    sdk_string_t given;                           \
    wardian_plugin_context_##name(&given);        \
    return text(&given);                          \
  }

#define CONTEXT_OR_NULL(name)                     \
  const char *wardian_context_##name(void) {      \
    sdk_string_t given;                           \
    return wardian_plugin_context_##name(&given) ? text(&given) : NULL; \
  }

CONTEXT(id)
CONTEXT(session)
CONTEXT(agent)
CONTEXT_OR_NULL(user)
CONTEXT_OR_NULL(trace)

uint64_t wardian_context_time_left(void) { return wardian_plugin_context_time_left(); }

void wardian_feedback_progress(float share, const char *note) {
  sdk_string_t said = borrowed(note);
  wardian_plugin_feedback_progress(share >= 0 ? &share : NULL, &said);
}

void wardian_feedback_emit_text(const char *text) {
  wardian_plugin_feedback_content_t part = {.tag = WARDIAN_PLUGIN_TYPES_CONTENT_TEXT, .val.text = borrowed(text)};
  wardian_plugin_feedback_emit(&part);
}

void wardian_feedback_emit_data(const char *json) {
  wardian_plugin_feedback_content_t part = {.tag = WARDIAN_PLUGIN_TYPES_CONTENT_DATA, .val.data = borrowed(json)};
  wardian_plugin_feedback_emit(&part);
}

bool wardian_feedback_cancelled(void) { return wardian_plugin_feedback_cancelled(); }

// Configuration and secrets ---------------------------------------------------

const char *wardian_config_get(const char *key) {
  sdk_string_t name = borrowed(key), value;
  return wardian_plugin_config_get(&name, &value) ? text(&value) : NULL;
}

wardian_names wardian_config_keys(void) {
  sdk_list_string_t given;
  wardian_plugin_config_keys(&given);
  return names(&given);
}

const char *wardian_secrets_reveal(const char *name) {
  sdk_string_t wanted = borrowed(name), value;
  wardian_plugin_secrets_denial_t denial = WARDIAN_PLUGIN_SECRETS_DENIAL_UNDECLARED;
  if (wardian_plugin_secrets_reveal(&wanted, &value, &denial)) return text(&value);
  const char *why = denial == WARDIAN_PLUGIN_SECRETS_DENIAL_MISSING  ? "is granted, but the operator has not set it"
                    : denial == WARDIAN_PLUGIN_SECRETS_DENIAL_DENIED ? "may be injected into requests, but not shown"
                                                                     : "is not granted to this plugin";
  wardian_fail(WARDIAN_UNAUTHORIZED, "the secret %s %s", name, why);
  wardian_fail_code("not_granted");
  return NULL;
}

bool wardian_secrets_ready(const char *name) {
  sdk_string_t wanted = borrowed(name);
  return wardian_plugin_secrets_ready(&wanted);
}

// Store and cache -------------------------------------------------------------

static bool not_granted(const char *what) {
  wardian_fail(WARDIAN_UNAUTHORIZED, "this plugin was granted no %s; the operator can grant one", what);
  return wardian_fail_code("not_granted");
}

static bool full(const char *what, uint64_t quota) {
  wardian_fail(WARDIAN_REFUSED, "the %s is full: its quota is %llu bytes; delete something first", what, (unsigned long long)quota);
  return wardian_fail_code("quota");
}

static bool store_failed(const wardian_plugin_store_error_t *error) {
  switch (error->tag) {
    case WARDIAN_PLUGIN_STORE_ERROR_DENIED: return not_granted("store");
    case WARDIAN_PLUGIN_STORE_ERROR_QUOTA: return full("store", error->val.quota);
    case WARDIAN_PLUGIN_STORE_ERROR_INVALID_KEY:
      wardian_fail(WARDIAN_INVALID_INPUT, "the key must have 1 to 256 bytes and no control characters");
      return wardian_fail_code("invalid_key");
    default: return wardian_fail(WARDIAN_UNAVAILABLE, "the store cannot be reached just now");
  }
}

static bool cache_failed(const wardian_plugin_cache_error_t *error) {
  switch (error->tag) {
    case WARDIAN_PLUGIN_CACHE_ERROR_DENIED: return not_granted("cache");
    case WARDIAN_PLUGIN_CACHE_ERROR_QUOTA: return full("cache", error->val.quota);
    case WARDIAN_PLUGIN_CACHE_ERROR_INVALID_NAME: return wardian_fail(WARDIAN_FAILED, "the plugin used an invalid cache name");
    default: return wardian_fail(WARDIAN_UNAVAILABLE, "the cache cannot be reached just now");
  }
}

bool wardian_store_get(const char *key, wardian_bytes *value) {
  sdk_string_t name = borrowed(key);
  sdk_option_list_u8_t given;
  wardian_plugin_store_error_t error;
  *value = (wardian_bytes){0};
  if (!wardian_plugin_store_get(&name, &given, &error)) return store_failed(&error);
  if (given.is_some) *value = bytes(&given.val);
  return true;
}

bool wardian_store_set(const char *key, const void *value, size_t size) {
  sdk_string_t name = borrowed(key);
  sdk_list_u8_t given = {.ptr = (uint8_t *)value, .len = size};
  wardian_plugin_store_error_t error;
  return wardian_plugin_store_set(&name, &given, &error) || store_failed(&error);
}

bool wardian_store_delete(const char *key) {
  sdk_string_t name = borrowed(key);
  wardian_plugin_store_error_t error;
  return wardian_plugin_store_delete(&name, &error) || store_failed(&error);
}

bool wardian_store_keys(const char *prefix, const char *after, uint32_t limit, wardian_names *keys) {
  sdk_string_t begin = borrowed(prefix), behind = borrowed(after ? after : "");
  sdk_list_string_t given;
  wardian_plugin_store_error_t error;
  *keys = (wardian_names){0};
  if (!wardian_plugin_store_keys(&begin, after ? &behind : NULL, limit, &given, &error)) return store_failed(&error);
  *keys = names(&given);
  return true;
}

bool wardian_store_get_json(const char *key, const wardian_json **value) {
  wardian_bytes given;
  *value = NULL;
  if (!wardian_store_get(key, &given)) return false;
  if (given.data == NULL) return true;
  *value = wardian_parse(given.data);
  return *value != NULL || wardian_fail(WARDIAN_FAILED, "what the store holds under %s is no JSON", key);
}

bool wardian_store_set_json(const char *key, const char *json) { return wardian_store_set(key, json, strlen(json)); }

bool wardian_cache_read(const char *name, wardian_bytes *file) {
  sdk_string_t wanted = borrowed(name);
  sdk_option_u64_t size;
  wardian_plugin_cache_error_t error;
  *file = (wardian_bytes){0};
  if (!wardian_plugin_cache_size(&wanted, &size, &error)) return cache_failed(&error);
  if (!size.is_some) return true;
  if (size.val > SIZE_MAX / 2) return wardian_fail(WARDIAN_REFUSED, "the cached file %s is too large to be read as a whole", name);
  char *whole = wardian_alloc((size_t)size.val + 1);
  size_t used = 0;
  while (used < size.val) {
    sdk_option_list_u8_t piece;
    size_t rest = (size_t)size.val - used;
    uint32_t length = rest < CACHE_READ_BYTES ? (uint32_t)rest : CACHE_READ_BYTES;
    if (!wardian_plugin_cache_read(&wanted, used, length, &piece, &error)) return cache_failed(&error);
    if (!piece.is_some || piece.val.len == 0) break;  // it shrank meanwhile
    memcpy(whole + used, piece.val.ptr, piece.val.len);
    used += piece.val.len;
    sdk_list_u8_free(&piece.val);
  }
  *file = (wardian_bytes){.data = whole, .size = used};
  return true;
}

bool wardian_cache_write(const char *name, const void *bytes, size_t size) {
  sdk_string_t wanted = borrowed(name);
  sdk_list_u8_t given = {.ptr = (uint8_t *)bytes, .len = size};
  wardian_plugin_cache_error_t error;
  return wardian_plugin_cache_write(&wanted, &given, &error) || cache_failed(&error);
}

bool wardian_cache_delete(const char *name) {
  sdk_string_t wanted = borrowed(name);
  wardian_plugin_cache_error_t error;
  return wardian_plugin_cache_delete(&wanted, &error) || cache_failed(&error);
}

bool wardian_cache_names(wardian_names *found) {
  sdk_list_string_t given;
  wardian_plugin_cache_error_t error;
  *found = (wardian_names){0};
  if (!wardian_plugin_cache_names(&given, &error)) return cache_failed(&error);
  *found = names(&given);
  return true;
}
