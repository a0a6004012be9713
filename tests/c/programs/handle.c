// The registry: handles, names, who is alive.
// ctest:
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0x2a);
    CHECK(skynet_context_total() == 0);
    struct skynet_context *service[100];
    for (int i = 0; i < 100; i++)
        service[i] = launch("blank", NULL);
    uint32_t first = skynet_context_handle(service[0]), last = skynet_context_handle(service[99]);
    say("handles %x to %x, %d services", first, last, skynet_context_total());

    say("a name: %s", skynet_handle_namehandle(first, "one"));
    say("a second name: %s", skynet_handle_namehandle(first, "uno"));
    CHECK(skynet_handle_namehandle(last, "one") == NULL);
    say("a taken name stays with %x", skynet_handle_findname("one"));
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i * 37 % 100);
        CHECK(skynet_handle_namehandle(skynet_context_handle(service[i]), name) != NULL);
    }
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i * 37 % 100);
        CHECK(skynet_handle_findname(name) == skynet_context_handle(service[i]));
    }
    CHECK(skynet_handle_findname("nobody") == 0);

    skynet_context_release(service[0]);
    CHECK(skynet_handle_retire(first) == 1);
    CHECK(skynet_handle_retire(first) == 0);
    CHECK(skynet_handle_grab(first) == NULL);
    CHECK(skynet_handle_findname("one") == 0 && skynet_handle_findname("uno") == 0);
    CHECK(skynet_handle_grab(0) == NULL && skynet_handle_grab(last + 1) == NULL);
    // The same service number at another harbor is another handle.
    CHECK(skynet_handle_grab(last & HANDLE_MASK) == NULL);
    CHECK(skynet_handle_namehandle(last, "one") != NULL);
    say("a freed name: %x", skynet_handle_findname("one"));
    say("%d services", skynet_context_total());

    // Handles are not used again soon: who holds an old one reaches nobody.
    struct skynet_context *fresh = launch("blank", NULL);
    CHECK(skynet_context_handle(fresh) > last);
    skynet_context_release(fresh);

    for (int i = 1; i < 100; i++)
        skynet_context_release(service[i]);
    skynet_handle_retireall();
    say("retired all: %d services, name %x", skynet_context_total(), skynet_handle_findname("one"));
    pump();
    skynet_globalexit();
    return 0;
}
