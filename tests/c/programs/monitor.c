// The watch on endless loops: two checks without a step between them.
// ctest:
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    launch_logger(NULL);
    struct skynet_context *service = launch("blank", NULL);
    uint32_t handle = skynet_context_handle(service);
    pump();

    struct skynet_monitor *monitor = skynet_monitor_new();
    skynet_monitor_check(monitor);
    skynet_monitor_trigger(monitor, 0x1000077, handle);
    skynet_monitor_check(monitor);
    pump();
    say("one check: endless %s", skynet_command(service, "STAT", "endless"));
    skynet_monitor_check(monitor);
    pump();
    say("two checks: endless %s", skynet_command(service, "STAT", "endless"));
    say("asked again: %s", skynet_command(service, "STAT", "endless"));

    skynet_monitor_trigger(monitor, 0, 0);
    skynet_monitor_check(monitor);
    skynet_monitor_check(monitor);
    skynet_monitor_trigger(monitor, 5, handle);
    skynet_monitor_check(monitor);
    skynet_monitor_trigger(monitor, 6, handle);
    skynet_monitor_check(monitor);
    pump();
    say("steps between checks: endless %s", skynet_command(service, "STAT", "endless"));
    skynet_monitor_delete(monitor);

    skynet_context_endless(handle);
    skynet_context_endless(handle + 100);
    say("set by hand: endless %s", skynet_command(service, "STAT", "endless"));
    return 0;
}
