// The memory of a call, freed as a whole when the next one begins, and the
// failure that it noted.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// Small allocations share a block of this size.
#define BLOCK_BYTES 16384
#define ALIGNMENT 16

typedef struct block {
  struct block *before;
  size_t used, size;
} block;

#define HEAD ((sizeof(block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

static block *newest;
wardian_noted wardian_last;

static block *grow(size_t size) {
  block *made = malloc(HEAD + size);
  if (made == NULL) {
    fprintf(stderr, "out of memory: %zu bytes were wanted\n", size);
    abort();
  }
  *made = (block){.before = newest, .used = 0, .size = size};
  return newest = made;
}

void *wardian_alloc(size_t size) {
  if (size > SIZE_MAX - ALIGNMENT - HEAD) size = SIZE_MAX - ALIGNMENT - HEAD;
  size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  block *from = newest;
  if (from == NULL || from->size - from->used < size) from = grow(size > BLOCK_BYTES ? size : BLOCK_BYTES);
  void *at = (char *)from + HEAD + from->used;
  from->used += size;
  return memset(at, 0, size);
}

char *wardian_copy(const void *bytes, size_t size) {
  char *copy = wardian_alloc(size + 1);
  if (size > 0) memcpy(copy, bytes, size);
  return copy;
}

char *wardian_vformat(const char *format, va_list values) {
  va_list again;
  va_copy(again, values);
  int size = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (size < 0) return wardian_copy("", 0);
  char *text = wardian_alloc((size_t)size + 1);
  vsnprintf(text, (size_t)size + 1, format, values);
  return text;
}

char *wardian_format(const char *format, ...) {
  va_list values;
  va_start(values, format);
  char *text = wardian_vformat(format, values);
  va_end(values);
  return text;
}

bool wardian_fail(wardian_reason reason, const char *format, ...) {
  va_list values;
  va_start(values, format);
  wardian_last = (wardian_noted){.is_noted = true, .reason = reason, .message = wardian_vformat(format, values)};
  va_end(values);
  return false;
}

bool wardian_fail_code(const char *code) {
  wardian_last.code = wardian_copy(code, strlen(code));
  return false;
}

bool wardian_fail_retry_after(uint64_t milliseconds) {
  wardian_last.retry_after = milliseconds;
  return false;
}

const char *wardian_failure(void) { return wardian_last.is_noted ? wardian_last.message : NULL; }

void wardian_clear(void) {
  while (newest != NULL) {
    block *before = newest->before;
    free(newest);
    newest = before;
  }
  wardian_last = (wardian_noted){0};
}
