// A callback that does not return is found by the monitor thread, which looks
// every five seconds.
// ctest: thread=2 logger=silent
#include "ctest.h"

static int loop(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    double start = seconds();
    while (strcmp(skynet_command(context, "STAT", "endless"), "1") != 0) {
        CHECK(seconds() - start < 12);
        usleep(10000);
    }
    double lasted = seconds() - start;
    say("found between %s", lasted > 4 && lasted < 11 ? "4 and 11 seconds" : "some other times");
    say("asked again: %s", skynet_command(context, "STAT", "endless"));
    skynet_command(context, "ABORT", NULL);
    return 0;
}

int endless_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, loop);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
