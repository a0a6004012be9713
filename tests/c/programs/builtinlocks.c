// The numbers and locks of locks.c, by a compiler without <stdatomic.h>.
// ctest:
#define __STDC_NO_ATOMICS__ 1
#include "locks.c"
