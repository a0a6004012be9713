// posix_memalign; the reference returns a block that cannot be freed.
// ctest: only=ours
#include "driver.h"

#include <errno.h>
#include <stdint.h>

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    say("begin");
    size_t before = malloc_memory_block();
    for (int round = 0; round < 100; round++) {
        for (size_t to = sizeof(void *); to <= 1 << 16; to *= 2) {
            void *p = NULL;
            CHECK(skynet_posix_memalign(&p, to, 33) == 0);
            CHECK(p != NULL && (uintptr_t)p % to == 0);
            memset(p, 1, 33);
            p = skynet_realloc(p, 1000);
            CHECK(p != NULL && ((char *)p)[32] == 1);
            skynet_free(p);
        }
    }
    void *untouched = &before;
    CHECK(skynet_posix_memalign(&untouched, 24, 8) == EINVAL && untouched == &before);
    CHECK(skynet_posix_memalign(&untouched, 2, 8) == EINVAL && untouched == &before);
    say_leaks("posix_memalign", before, 100);
    return 0;
}
