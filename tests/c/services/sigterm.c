// SIGTERM ends a node as ABORT does: every service is released, the log is written.
// The reference dies of it.
// ctest: only=ours logger=errors
// ctest: only=ours logger=errors thread=1
#include "ctest.h"

#include <signal.h>

static int work(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    skynet_error(context, "error: ending");
    CHECK(kill(getpid(), SIGTERM) == 0);
    return 0;
}

int sigterm_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, work);
    skynet_command(context, "TIMEOUT", "1");
    return 0;
}
