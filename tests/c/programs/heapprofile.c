// jemalloc's heap profiles, for which it is told to be ready from outside.
// ctest: needs=jemalloc env=JE_MALLOC_CONF=prof:true,prof_active:false,prof_prefix:$SCRATCH/heap
#include "heapprofile.h"

#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    profile_heap(argv[2]);
    return 0;
}
