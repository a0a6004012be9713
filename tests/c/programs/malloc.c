// The malloc family under its skynet names, and who is charged.
// ctest:
#include "driver.h"

#include <stdint.h>

size_t malloc_current_memory(void);
size_t malloc_used_memory(void);

static bool aligned(const void *p, size_t to) {
    return p != NULL && (uintptr_t)p % to == 0;
}

static int allocate(struct skynet_context *context, void *ud, int type, int session,
                    uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)source, (void)msg, (void)sz;
    static void *block;
    CHECK(skynet_current_handle() == skynet_context_handle(context));
    size_t before = malloc_current_memory();
    if (session == 1) {
        block = skynet_malloc(100000);
        memset(block, 1, 100000);
        size_t charged = malloc_current_memory() - before;
        say("charged: %s", charged == 0 || (charged >= 100000 && charged < 140000) ? "right" : "wrong");
    } else {
        skynet_free(block);
        size_t credited = before - malloc_current_memory();
        say("credited: %s", credited == 0 || (credited >= 100000 && credited < 140000) ? "right" : "wrong");
    }
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    say("begin");
    size_t before = malloc_memory_block();

    for (size_t size = 1; size <= 1 << 20; size = size * 3 + 1) {
        unsigned char *p = skynet_malloc(size);
        CHECK(aligned(p, size >= 16 ? 16 : 1));
        memset(p, 0xa5, size);
        p = skynet_realloc(p, size * 2);
        for (size_t i = 0; i < size; i++)
            CHECK(p[i] == 0xa5);
        p = skynet_realloc(p, 1);
        CHECK(p[0] == 0xa5);
        skynet_free(p);
        p = skynet_calloc(size, 3);
        for (size_t i = 0; i < size * 3; i++)
            CHECK(p[i] == 0);
        skynet_free(p);
        void *q = skynet_lalloc(NULL, 0, size);
        CHECK(q != NULL);
        q = skynet_lalloc(q, size, size * 2);
        CHECK(skynet_lalloc(q, size * 2, 0) == NULL);
    }
    for (size_t to = 8; to <= 4096; to *= 2) {
        void *p = skynet_memalign(to, 100), *q = skynet_aligned_alloc(to, to * 2);
        CHECK(aligned(p, to) && aligned(q, to));
        memset(p, 1, 100);
        memset(q, 1, to * 2);
        q = skynet_realloc(q, to * 4);
        CHECK(((char *)q)[to * 2 - 1] == 1);
        skynet_free(p);
        skynet_free(q);
    }
    skynet_free(NULL);
    skynet_free(skynet_realloc(NULL, 10));
    skynet_free(skynet_malloc(0));
    say_leaks("malloc family", before, 50);

    // Charged to the service that allocates, credited wherever it is freed.
    struct skynet_context *service = launch("blank", NULL);
    skynet_callback(service, NULL, allocate);
    for (int session = 1; session <= 2; session++) {
        skynet_send(service, 0, skynet_context_handle(service), PTYPE_TEXT, session, NULL, 0);
        pump();
    }
    CHECK(malloc_used_memory() < (size_t)1 << 30);
    skynet_debug_memory("to stderr");
    return 0;
}
