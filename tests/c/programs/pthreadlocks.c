// The locks of locks.c, as the system has them.
// ctest:
#define USE_PTHREAD_LOCK
#include "locks.c"
