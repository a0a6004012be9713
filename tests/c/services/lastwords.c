// The logger goes last: what was logged before the end is written, also what
// services log while they are released.
// ctest: only=ours logger=errors
// ctest: only=ours logger=errors thread=1
#include "ctest.h"

static int work(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    for (int i = 0; i < 500; i++)
        skynet_error(context, "error %d", i);
    skynet_command(context, "ABORT", NULL);
    return 0;
}

int lastwords_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, work);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}

void lastwords_release(void *instance) {
    (void)instance;
    skynet_error(NULL, "error: released");
}
