// STAT cpu, time and message of a service that works; one that blocks in a system
// call is not charged for the waiting.
// ctest: thread=2 logger=silent
#include "ctest.h"
#include "skynet_timer.h"

static double stat(struct skynet_context *context, const char *what) {
    return atof(skynet_command(context, "STAT", what));
}

static int work(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)source, (void)msg, (void)sz;
    static double after_work;
    if (session == 1) {
        uint64_t start = skynet_thread_time();
        while (skynet_thread_time() - start < 200000) {}
        double time = stat(context, "time");
        say("time: %s", time > 0.195 && time < 0.3 ? "right" : "wrong");
        say("message: %s", skynet_command(context, "STAT", "message"));
    } else if (session == 2) {
        after_work = stat(context, "cpu");
        say("cpu: %s", after_work > 0.19 && after_work < 0.3 ? "right" : "wrong");
        usleep(300000);
    } else {
        double waited = stat(context, "cpu") - after_work;
        say("cpu while it waited: %s", waited >= 0 && waited < 0.05 ? "right" : "wrong");
        say("message: %s", skynet_command(context, "STAT", "message"));
        skynet_command(context, "ABORT", NULL);
        return 0;
    }
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}

int profile_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, work);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
