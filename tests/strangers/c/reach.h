// Everything a C program can try.
#pragma once
#include <stddef.h>

// Writes `{"succeeded": [...], "refused": {...}}`.
void reach_everything(unsigned short port, char *answer, size_t size);
