// The node logs to a service that is written in C++ and registers no name.
// ctest: thread=4 logservice=cclog logger=line needs=cpp
// ctest: thread=1 logservice=cclog logger=line harbor=0 needs=cpp
#include "ctest.h"

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    static int count;
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    if (count++ < 5) {
        skynet_error(context, "line %d of the service", count);
        skynet_error(context, "not for this log");
        skynet_command(context, "TIMEOUT", "0");
    } else if (count == 6) {
        skynet_sendname(context, 0, ".logger", PTYPE_CLIENT, 1, NULL, 0);
    } else {
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int cpplog_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, on_message);
    skynet_error(NULL, "line of nobody");
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
