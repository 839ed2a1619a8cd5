// A plugin as a stranger writes it in C: `compute` works, `reach` tries what
// nobody granted. The host has checked the input against the schema, so the one
// number in it stands behind the colon.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "reach.h"

static void describe_one(exports_wardian_plugin_tools_tool_t *tool, const char *name, const char *description, const char *input) {
  memset(tool, 0, sizeof *tool);
  plugin_string_dup(&tool->name, name);
  plugin_string_dup(&tool->description, description);
  plugin_string_dup(&tool->input, input);
}

void exports_wardian_plugin_tools_describe(exports_wardian_plugin_tools_list_tool_t *ret) {
  ret->len = 2;
  ret->ptr = calloc(ret->len, sizeof *ret->ptr);
  describe_one(&ret->ptr[0], "compute", "Counts the primes below a number and adds them up.",
               "{\"type\": \"object\", \"properties\": {\"below\": {\"type\": \"integer\", \"minimum\": 2, \"maximum\": 1000000}},"
               " \"required\": [\"below\"], \"additionalProperties\": false}");
  describe_one(&ret->ptr[1], "reach", "Tries everything that the language offers to reach the outside.",
               "{\"type\": \"object\", \"properties\": {\"port\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 65535}},"
               " \"required\": [\"port\"], \"additionalProperties\": false}");
}

static void compute(size_t below, char *answer, size_t size) {
  unsigned char *composite = calloc(below, 1);
  unsigned long long primes = 0, sum = 0;
  for (size_t n = 2; composite && n < below; n++) {
    if (composite[n]) continue;
    primes++;
    sum += n;
    for (unsigned long long multiple = (unsigned long long)n * n; multiple < below; multiple += n) composite[multiple] = 1;
  }
  free(composite);
  snprintf(answer, size, "{\"primes\": %llu, \"sum\": %llu}", primes, sum);
}

static bool is(const plugin_string_t *text, const char *word) {
  return text->len == strlen(word) && memcmp(text->ptr, word, text->len) == 0;
}

static unsigned number(const plugin_string_t *input) {
  const uint8_t *colon = memchr(input->ptr, ':', input->len);
  char digits[32] = {0};
  if (colon) {
    size_t rest = (size_t)(input->ptr + input->len - colon) - 1;
    memcpy(digits, colon + 1, rest < sizeof digits ? rest : sizeof digits - 1);
  }
  return (unsigned)strtoul(digits, NULL, 10);
}

bool exports_wardian_plugin_tools_invoke(exports_wardian_plugin_tools_call_t *call, exports_wardian_plugin_tools_list_content_t *ret,
                                         exports_wardian_plugin_tools_tool_error_t *err) {
  static char answer[8192];
  if (is(&call->tool, "compute")) {
    compute(number(&call->input), answer, sizeof answer);
  } else if (is(&call->tool, "reach")) {
    reach_everything((unsigned short)number(&call->input), answer, sizeof answer);
  } else {
    memset(err, 0, sizeof *err);
    err->reason = WARDIAN_PLUGIN_TYPES_REASON_NOT_FOUND;
    plugin_string_dup(&err->message, "there is no such tool");
    return false;
  }
  ret->len = 1;
  ret->ptr = calloc(1, sizeof *ret->ptr);
  ret->ptr->tag = WARDIAN_PLUGIN_TYPES_CONTENT_DATA;
  plugin_string_dup(&ret->ptr->val.data, answer);
  return true;
}
