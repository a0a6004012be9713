// skynet_handle_register by itself gives the next handle; a service that has one
// already is not found by another.
// ctest:
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    struct skynet_context *service = launch("blank", NULL);
    uint32_t own = skynet_context_handle(service);
    uint32_t other = skynet_handle_register(service);
    say("own %x, other %x", own, other);
    CHECK(skynet_context_handle(service) == own);
    CHECK(skynet_handle_grab(own) == service);
    CHECK(skynet_handle_grab(other) == NULL);
    CHECK(skynet_handle_retire(other) == 0);
    CHECK(skynet_context_total() == 1);
    return 0;
}
