// The SDK's JSON and memory on this machine; a command that ends with 0 says that all is well:
//   cc -Wall -Wextra -Werror -I.. json_test.c ../json.c ../memory.c -o json_test && ./json_test

#include <stdio.h>
#include <string.h>

#include "internal.h"

static int failed;

static void check(bool holds, const char *what) {
  if (holds) return;
  printf("does not hold: %s\n", what);
  failed = 1;
}

#define CHECK(holds) check(holds, #holds)

static bool refuses(const char *text, const char *why) {
  bool refused = wardian_parse(text) == NULL && strstr(wardian_failure(), why) != NULL;
  if (!refused) printf("%s: %s\n", text, wardian_failure() ? wardian_failure() : "taken");
  return refused;
}

static void what_is_written_is_read(void) {
  const wardian_json *all = wardian_parse(" {\"a\": [1, -2.50e1, true, null], \"b\": {\"c\": \"d\"}, \"e\": \"\"} ");
  CHECK(all != NULL && all->kind == WARDIAN_OBJECT && all->count == 3);
  const wardian_json *list = wardian_get(all, "a");
  CHECK(list->kind == WARDIAN_ARRAY && list->count == 4 && list->first->number == 1);
  CHECK(list->first->next->number == -25 && strcmp(list->first->next->text, "-2.50e1") == 0);
  CHECK(list->first->next->next->truth && list->first->next->next->next->kind == WARDIAN_NULL);
  CHECK(strcmp(wardian_get_string(wardian_get(all, "b"), "c", ""), "d") == 0);
  CHECK(wardian_get(all, "none") == NULL && wardian_get(list, "a") == NULL && wardian_get(NULL, "a") == NULL);
  CHECK(wardian_get_number(all, "e", 7) == 7 && wardian_get_bool(all, "a", true));
}

static void escapes_become_utf_8(void) {
  const wardian_json *text = wardian_parse("\"\\u00e9\\ud83d\\ude00\\ud800x\\n\\/\\\"\"");
  CHECK(text != NULL && strcmp(text->text, "\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdx\n/\"") == 0);
}

static void quoted_texts_are_read_back(void) {
  const char *odd = "a\"b\\c\n\t\x01 \xc3\xa9";
  const wardian_json *back = wardian_parse(wardian_quote(odd));
  CHECK(back != NULL && strcmp(back->text, odd) == 0);
}

static void what_is_no_json_is_refused_with_the_reason(void) {
  CHECK(refuses("", "number or a word"));
  CHECK(refuses("[1,]", "number or a word"));
  CHECK(refuses("{\"a\" 1}", "no colon"));
  CHECK(refuses("{a: 1}", "no name"));
  CHECK(refuses("[1", "not closed"));
  CHECK(refuses("\"a", "does not end"));
  CHECK(refuses("\"a\\", "no such escape"));
  CHECK(refuses("\"\\u12\"", "four digits"));
  CHECK(refuses("\"\\u0000\"", "NUL"));
  CHECK(refuses("\"\n\"", "control character"));
  CHECK(refuses("01", "behind its end"));
  CHECK(refuses("1. ", "number or a word"));
  CHECK(refuses("{} x", "behind its end"));
  char deep[2001];
  memset(deep, '[', sizeof deep - 1);
  deep[sizeof deep - 1] = '\0';
  CHECK(refuses(deep, "too deeply"));
}

static void memory_is_aligned_zeroed_and_given_back(void) {
  char *small = wardian_alloc(3), *large = wardian_alloc(100000);
  CHECK((uintptr_t)small % 16 == 0 && (uintptr_t)large % 16 == 0 && large[99999] == 0);
  memset(large, 1, 100000);
  CHECK(strcmp(wardian_format("%d-%s", 7, "x"), "7-x") == 0);
  CHECK(!wardian_fail(WARDIAN_REFUSED, "no %s", "way") && strcmp(wardian_failure(), "no way") == 0);
  wardian_clear();
  CHECK(wardian_failure() == NULL);
}

int main(void) {
  what_is_written_is_read();
  escapes_become_utf_8();
  quoted_texts_are_read_back();
  what_is_no_json_is_refused_with_the_reason();
  memory_is_aligned_zeroed_and_given_back();
  return failed;
}
