// A callback that does not return holds the end up no longer than shutdown_timeout
// seconds; then the log names its service, and the exit code is 1.
// ctest: only=ours shutdown_timeout=1 exit=1 logger=errors
#include "ctest.h"

static int work(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    skynet_command(context, "ABORT", NULL);
    for (;;)
        pause();
    return 0;
}

int stuck_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, work);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
