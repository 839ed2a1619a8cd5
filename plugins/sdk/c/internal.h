// What the SDK's own files share.

#ifndef WARDIAN_INTERNAL_H
#define WARDIAN_INTERNAL_H

#include <stdarg.h>

#include "wardian.h"

// What was noted by wardian_fail.
typedef struct {
  bool is_noted;
  wardian_reason reason;
  const char *message;
  const char *code;
  uint64_t retry_after;  // 0: none
} wardian_noted;

extern wardian_noted wardian_last;

// A copy in the call's memory, with a NUL behind it.
char *wardian_copy(const void *bytes, size_t size);
char *wardian_vformat(const char *format, va_list values);

// Frees the call's memory and forgets its failure.
void wardian_clear(void);

#endif
