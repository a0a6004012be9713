// With `profile = false` nothing is charged.
// ctest: profile=false logger=silent
#include "ctest.h"
#include "skynet_timer.h"

static int work(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)source, (void)msg, (void)sz;
    if (session == 1) {
        uint64_t start = skynet_thread_time();
        while (skynet_thread_time() - start < 20000) {}
        say("time %s", skynet_command(context, "STAT", "time"));
        skynet_command(context, "TIMEOUT", "0");
    } else {
        say("cpu %s", skynet_command(context, "STAT", "cpu"));
        say("message %s", skynet_command(context, "STAT", "message"));
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int noprofile_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, work);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
