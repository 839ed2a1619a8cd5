// Between the contract's bindings and the plugin: its tools described, its calls
// run, its answers and failures handed over.

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "sdk.h"

// An answer of more parts than this is refused: the host would not take it.
#define PARTS_MAX 256

static exports_wardian_plugin_tools_content_t parts[PARTS_MAX];
static size_t part_count;

static exports_wardian_plugin_tools_content_t *part(uint8_t tag) {
  if (part_count == PARTS_MAX) return NULL;
  exports_wardian_plugin_tools_content_t *added = &parts[part_count++];
  memset(added, 0, sizeof *added);
  added->tag = tag;
  return added;
}

static bool too_many(void) { return wardian_fail(WARDIAN_FAILED, "an answer has at most %d parts", PARTS_MAX); }

bool wardian_text(const char *text) {
  exports_wardian_plugin_tools_content_t *added = part(WARDIAN_PLUGIN_TYPES_CONTENT_TEXT);
  if (added == NULL) return too_many();
  sdk_string_dup(&added->val.text, text);
  return true;
}

bool wardian_data(const char *json) {
  exports_wardian_plugin_tools_content_t *added = part(WARDIAN_PLUGIN_TYPES_CONTENT_DATA);
  if (added == NULL) return too_many();
  sdk_string_dup(&added->val.data, json);
  return true;
}

bool wardian_dataf(const char *format, ...) {
  va_list values;
  va_start(values, format);
  const char *json = wardian_vformat(format, values);
  va_end(values);
  return wardian_data(json);
}

bool wardian_blob(const char *media_type, const char *name, const void *bytes, size_t size) {
  exports_wardian_plugin_tools_content_t *added = part(WARDIAN_PLUGIN_TYPES_CONTENT_BLOB);
  if (added == NULL) return too_many();
  wardian_plugin_types_blob_t *blob = &added->val.blob;
  sdk_string_dup(&blob->media_type, media_type);
  blob->name.is_some = name != NULL;
  if (name != NULL) sdk_string_dup(&blob->name.val, name);
  sdk_string_t copy;
  sdk_string_dup_n(&copy, bytes, size);
  blob->bytes = (sdk_list_u8_t){.ptr = copy.ptr, .len = copy.len};
  return true;
}

static void optional(wardian_plugin_types_option_json_t *into, const char *json) {
  into->is_some = json != NULL;
  if (json != NULL) sdk_string_dup(&into->val, json);
}

void exports_wardian_plugin_tools_describe(exports_wardian_plugin_tools_list_tool_t *ret) {
  size_t count = 0;
  const wardian_tool *tools = wardian_tools(&count);
  *ret = (exports_wardian_plugin_tools_list_tool_t){.ptr = calloc(count ? count : 1, sizeof *ret->ptr), .len = count};
  if (ret->ptr == NULL) abort();
  for (size_t i = 0; i < count; i++) {
    exports_wardian_plugin_tools_tool_t *tool = &ret->ptr[i];
    sdk_string_dup(&tool->name, tools[i].name);
    sdk_string_dup(&tool->description, tools[i].description);
    sdk_string_dup(&tool->input, tools[i].input);
    optional(&tool->output, tools[i].output);
    tool->traits = (uint8_t)(tools[i].traits & WARDIAN_PURE);
    optional(&tool->annotations, tools[i].annotations);
  }
}

static uint8_t reason(wardian_reason reason) {
  switch (reason) {
    case WARDIAN_INVALID_INPUT: return WARDIAN_PLUGIN_TYPES_REASON_INVALID_INPUT;
    case WARDIAN_NOT_FOUND: return WARDIAN_PLUGIN_TYPES_REASON_NOT_FOUND;
    case WARDIAN_UNAUTHORIZED: return WARDIAN_PLUGIN_TYPES_REASON_UNAUTHORIZED;
    case WARDIAN_REFUSED: return WARDIAN_PLUGIN_TYPES_REASON_REFUSED;
    case WARDIAN_UNAVAILABLE: return WARDIAN_PLUGIN_TYPES_REASON_UNAVAILABLE;
    case WARDIAN_FAILED: break;
  }
  return WARDIAN_PLUGIN_TYPES_REASON_FAILED;
}

static void failure(exports_wardian_plugin_tools_tool_error_t *err) {
  if (!wardian_last.is_noted) wardian_fail(WARDIAN_FAILED, "the tool gave no result and did not say why");
  memset(err, 0, sizeof *err);
  err->reason = reason(wardian_last.reason);
  sdk_string_dup(&err->message, wardian_last.message);
  err->code.is_some = wardian_last.code != NULL;
  if (wardian_last.code != NULL) sdk_string_dup(&err->code.val, wardian_last.code);
  err->retry_after.is_some = wardian_last.retry_after > 0;
  err->retry_after.val = wardian_last.retry_after;
}

static bool run(const exports_wardian_plugin_tools_call_t *call) {
  const char *tool = wardian_copy(call->tool.ptr, call->tool.len);
  const wardian_json *input = wardian_parse(wardian_copy(call->input.ptr, call->input.len));
  return input != NULL && wardian_invoke(tool, input);
}

bool exports_wardian_plugin_tools_invoke(exports_wardian_plugin_tools_call_t *call, exports_wardian_plugin_tools_list_content_t *ret,
                                         exports_wardian_plugin_tools_tool_error_t *err) {
  wardian_clear();
  part_count = 0;
  bool done = run(call);
  exports_wardian_plugin_tools_call_free(call);
  if (!done) {
    for (size_t i = 0; i < part_count; i++) exports_wardian_plugin_tools_content_free(&parts[i]);
    failure(err);
    return false;
  }
  *ret = (exports_wardian_plugin_tools_list_content_t){.ptr = malloc((part_count + 1) * sizeof *ret->ptr), .len = part_count};
  if (ret->ptr == NULL) abort();
  memcpy(ret->ptr, parts, part_count * sizeof *parts);
  return true;
}
