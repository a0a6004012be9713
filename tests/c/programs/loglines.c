// The lines that the core itself logs about services that come and go. No other
// service prints, for the order of two services' work is nobody's promise.
// ctest:
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    launch_logger("sources");
    uint32_t handle = skynet_context_new("blank", NULL);
    struct skynet_context *service = skynet_handle_grab(handle);
    CHECK(skynet_context_new("blank", "with parameters ") != 0);
    CHECK(skynet_command(service, "LAUNCH", "blank  by command") != NULL);
    CHECK(skynet_context_new("failing", "x") == 0);
    pump();
    skynet_command(service, "KILL", ":3");
    skynet_command(service, "EXIT", NULL);
    skynet_context_release(service);
    pump();
    return 0;
}
