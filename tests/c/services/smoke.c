// A node boots, a service answers itself through its own address, and it ends.
// ctest: thread=1
// ctest: thread=8
// ctest: thread=40
#include "ctest.h"

static int smoke_message(struct skynet_context *context, void *ud, int type, int session,
                         uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)msg, (void)sz;
    uint32_t self = skynet_queryname(context, skynet_command(context, "REG", NULL));
    CHECK(skynet_current_handle() == self);
    if (type == PTYPE_RESPONSE && session == 1) {
        skynet_error(context, "hello");
        skynet_sendname(context, 0, ".logger", PTYPE_CLIENT, 2, NULL, 0);
    } else if (type == PTYPE_RESPONSE && session == 2) {
        say("timer ran, log is out");
        skynet_send(context, 0, self, PTYPE_TEXT, 3, "to myself", 9);
    } else {
        CHECK(type == PTYPE_TEXT && session == 3 && source == self);
        say("aborting");
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int smoke_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, smoke_message);
    say("timeout %s", skynet_command(context, "TIMEOUT", "1"));
    return 0;
}
