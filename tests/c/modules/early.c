// Its _init asks for a timeout and sends to itself before it has a callback.
#include "ctest.h"

static int early_message(struct skynet_context *context, void *ud, int type, int session,
                         uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)ud, (void)source;
    say("early: type %d session %d \"%.*s\"", type, session, (int)sz, msg ? (const char *)msg : "");
    return 0;
}

int early_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    const char *session = skynet_command(context, "TIMEOUT", "0");
    say("early: timeout has session %s", session);
    const char *self = skynet_command(context, "REG", NULL);
    skynet_sendname(context, 0, self, PTYPE_TEXT, 0, "to myself", 9);
    skynet_callback(context, NULL, early_message);
    return 0;
}
