// JSON as the host hands it over: read into a tree, and texts written as strings.

#include <stdlib.h>
#include <string.h>

#include "internal.h"

// Nested deeper than this nothing is read: each level takes room on the stack.
#define DEPTH_MAX 128

typedef struct {
  const char *at;
  const char *wrong;
  unsigned depth;
} reader;

static void skip(reader *from) { from->at += strspn(from->at, " \t\n\r"); }

static bool wrong(reader *from, const char *why) {
  if (from->wrong == NULL) from->wrong = why;
  return false;
}

static bool take(reader *from, const char *word) {
  size_t size = strlen(word);
  if (strncmp(from->at, word, size) != 0) return false;
  from->at += size;
  return true;
}

static bool hex(const char *at, unsigned *value) {
  *value = 0;
  for (int i = 0; i < 4; i++) {
    char c = at[i];
    unsigned digit;
    if (c >= '0' && c <= '9') digit = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f') digit = (unsigned)(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F') digit = (unsigned)(c - 'A') + 10;
    else return false;
    *value = *value * 16 + digit;
  }
  return true;
}

static char *utf8(char *into, unsigned code) {
  if (code < 0x80) {
    *into++ = (char)code;
  } else if (code < 0x800) {
    *into++ = (char)(0xC0 | code >> 6);
    *into++ = (char)(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *into++ = (char)(0xE0 | code >> 12);
    *into++ = (char)(0x80 | (code >> 6 & 0x3F));
    *into++ = (char)(0x80 | (code & 0x3F));
  } else {
    *into++ = (char)(0xF0 | code >> 18);
    *into++ = (char)(0x80 | (code >> 12 & 0x3F));
    *into++ = (char)(0x80 | (code >> 6 & 0x3F));
    *into++ = (char)(0x80 | (code & 0x3F));
  }
  return into;
}

// Behind `\u`. Half of a pair alone becomes the replacement character.
static bool unicode(reader *from, char **into) {
  unsigned code, low;
  if (!hex(from->at, &code)) return wrong(from, "an escape is not \\u and four digits");
  from->at += 4;
  if (code == 0) return wrong(from, "a text holds a NUL");
  if (code >= 0xD800 && code < 0xDC00 && from->at[0] == '\\' && from->at[1] == 'u' && hex(from->at + 2, &low) && low >= 0xDC00 &&
      low < 0xE000) {
    from->at += 6;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  *into = utf8(*into, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
  return true;
}

static bool escape(reader *from, char **into) {
  static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  char name = *from->at;
  if (name == 'u') {
    from->at++;
    return unicode(from, into);
  }
  const char *found = name ? strchr(names, name) : NULL;
  if (found == NULL) return wrong(from, "there is no such escape");
  *(*into)++ = meanings[found - names];
  from->at++;
  return true;
}

// The length of the string's source bounds that of its text.
static const char *string(reader *from) {
  const char *end = from->at;
  while (*end != '\0' && *end != '"') end += end[0] == '\\' && end[1] != '\0' ? 2 : 1;
  char *text = wardian_alloc((size_t)(end - from->at) + 1), *into = text;
  while (*from->at != '"') {
    unsigned char c = (unsigned char)*from->at;
    if (c == '\0') {
      wrong(from, "a text does not end");
      return NULL;
    }
    if (c < 0x20) {
      wrong(from, "a text holds a control character");
      return NULL;
    }
    from->at++;
    if (c != '\\') *into++ = (char)c;
    else if (!escape(from, &into)) return NULL;
  }
  from->at++;
  return text;
}

static bool digits(reader *from) {
  size_t count = strspn(from->at, "0123456789");
  from->at += count;
  return count > 0;
}

static bool number(reader *from, wardian_json *value) {
  const char *begin = from->at;
  take(from, "-");
  bool ok = take(from, "0") || digits(from);
  if (ok && take(from, ".")) ok = digits(from);
  if (ok && (*from->at == 'e' || *from->at == 'E')) {
    from->at++;
    if (*from->at == '+' || *from->at == '-') from->at++;
    ok = digits(from);
  }
  if (!ok) return wrong(from, "a number or a word is not written as JSON wants it");
  value->kind = WARDIAN_NUMBER;
  value->text = wardian_copy(begin, (size_t)(from->at - begin));
  value->number = strtod(value->text, NULL);
  return true;
}

static bool any(reader *from, wardian_json *value);

// What is inside of brackets, up to and with the closing one.
static bool members(reader *from, wardian_json *into, const char *close) {
  const wardian_json **last = &into->first;
  skip(from);
  if (take(from, close)) return true;
  do {
    wardian_json *member = wardian_alloc(sizeof *member);
    skip(from);
    if (into->kind == WARDIAN_OBJECT) {
      if (!take(from, "\"")) return wrong(from, "a member has no name");
      if ((member->key = string(from)) == NULL) return false;
      skip(from);
      if (!take(from, ":")) return wrong(from, "there is no colon behind a name");
    }
    if (!any(from, member)) return false;
    *last = member;
    last = &member->next;
    into->count++;
    skip(from);
  } while (take(from, ","));
  return take(from, close) || wrong(from, "a bracket is not closed");
}

static bool nested(reader *from, wardian_json *value, wardian_kind kind, const char *close) {
  if (++from->depth > DEPTH_MAX) return wrong(from, "it is nested too deeply");
  value->kind = kind;
  bool ok = members(from, value, close);
  from->depth--;
  return ok;
}

static bool any(reader *from, wardian_json *value) {
  skip(from);
  if (take(from, "{")) return nested(from, value, WARDIAN_OBJECT, "}");
  if (take(from, "[")) return nested(from, value, WARDIAN_ARRAY, "]");
  if (take(from, "\"")) {
    value->kind = WARDIAN_STRING;
    return (value->text = string(from)) != NULL;
  }
  if (take(from, "null")) return true;
  value->truth = take(from, "true");
  if (value->truth || take(from, "false")) {
    value->kind = WARDIAN_BOOL;
    return true;
  }
  return number(from, value);
}

const wardian_json *wardian_parse(const char *text) {
  reader from = {.at = text};
  wardian_json *value = wardian_alloc(sizeof *value);
  bool ok = any(&from, value);
  skip(&from);
  if (ok && *from.at != '\0') ok = wrong(&from, "something stands behind its end");
  if (ok) return value;
  wardian_fail(WARDIAN_INVALID_INPUT, "this is no JSON: %s, at byte %zu", from.wrong, (size_t)(from.at - text));
  return NULL;
}

const wardian_json *wardian_get(const wardian_json *object, const char *key) {
  if (object == NULL || object->kind != WARDIAN_OBJECT) return NULL;
  for (const wardian_json *member = object->first; member != NULL; member = member->next)
    if (strcmp(member->key, key) == 0) return member;
  return NULL;
}

static const wardian_json *of(const wardian_json *object, const char *key, wardian_kind kind) {
  const wardian_json *member = wardian_get(object, key);
  return member != NULL && member->kind == kind ? member : NULL;
}

const char *wardian_get_string(const wardian_json *object, const char *key, const char *otherwise) {
  const wardian_json *member = of(object, key, WARDIAN_STRING);
  return member ? member->text : otherwise;
}

double wardian_get_number(const wardian_json *object, const char *key, double otherwise) {
  const wardian_json *member = of(object, key, WARDIAN_NUMBER);
  return member ? member->number : otherwise;
}

bool wardian_get_bool(const wardian_json *object, const char *key, bool otherwise) {
  const wardian_json *member = of(object, key, WARDIAN_BOOL);
  return member ? member->truth : otherwise;
}

const char *wardian_quote(const char *text) {
  static const char hexadecimal[] = "0123456789abcdef";
  char *quoted = wardian_alloc(strlen(text) * 6 + 3), *into = quoted;
  *into++ = '"';
  for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\') {
      *into++ = '\\';
      *into++ = (char)*c;
    } else if (*c >= 0x20) {
      *into++ = (char)*c;
    } else {
      memcpy(into, "\\u00", 4);
      into[4] = hexadecimal[*c >> 4];
      into[5] = hexadecimal[*c & 15];
      into += 6;
    }
  }
  *into = '"';
  return quoted;
}
