// The plugin {{name}}: its tools, and what they do.

#include <string.h>

#include "wardian.h"

static const wardian_tool tools[] = {
    {
        .name = "greet",
        .description = "Greets a person by name.",
        .input = "{"
                 "  \"type\": \"object\","
                 "  \"properties\": {"
                 "    \"name\": {\"type\": \"string\", \"description\": \"Whom to greet.\"},"
                 "    \"excited\": {\"type\": \"boolean\", \"description\": \"Whether to end with an exclamation mark.\"}"
                 "  },"
                 "  \"required\": [\"name\"],"
                 "  \"additionalProperties\": false"
                 "}",
        .output = "{\"type\": \"object\", \"properties\": {\"text\": {\"type\": \"string\"}}, \"required\": [\"text\"]}",
        .traits = WARDIAN_PURE,
    },
};

const wardian_tool *wardian_tools(size_t *count) {
  *count = sizeof tools / sizeof *tools;
  return tools;
}

static bool greet(const wardian_json *input) {
  const char *name = wardian_get_string(input, "name", "");
  bool excited = wardian_get_bool(input, "excited", false);
  if (name[0] == '\0') return wardian_fail(WARDIAN_INVALID_INPUT, "the name is empty: say whom to greet");
  const char *text = wardian_format("Hello, %s%s", name, excited ? "!" : ".");
  return wardian_dataf("{\"text\": %s}", wardian_quote(text));
}

bool wardian_invoke(const char *tool, const wardian_json *input) {
  if (strcmp(tool, "greet") == 0) return greet(input);
  return wardian_fail(WARDIAN_NOT_FOUND, "there is no tool %s", tool);
}
