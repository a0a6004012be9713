// MONITOR: the watching service hears of every exit, once.
// ctest: thread=8 logger=silent
#include "ctest.h"

enum { SERVICES = 500 };

static int heard;

static int die(struct skynet_context *context, void *ud, int type, int session,
               uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    skynet_command(context, "EXIT", NULL);
    return 0;
}

static int watch(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)session, (void)msg;
    unsigned char *alive = ud;
    if (type == PTYPE_RESPONSE) {
        CHECK(skynet_command(context, "MONITOR", ".watch") == NULL);
        for (int i = 0; i < SERVICES; i++) {
            const char *child = skynet_command(context, "LAUNCH", "watch child");
            alive[skynet_queryname(context, child) & 0xffff] = 1;
            if (i % 2)
                skynet_sendname(context, 0, child, PTYPE_TEXT, 0, NULL, 0);
            else
                skynet_command(context, "KILL", child);
        }
        return 0;
    }
    CHECK(type == PTYPE_CLIENT && sz == 0 && alive[source & 0xffff] == 1);
    alive[source & 0xffff] = 0;
    if (++heard == SERVICES) {
        say("heard of %d exits", heard);
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int watch_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (strcmp(parm, "child") == 0) {
        skynet_callback(context, NULL, die);
        return 0;
    }
    static unsigned char alive[0x10000];
    skynet_callback(context, alive, watch);
    CHECK(skynet_command(context, "REG", ".watch") != NULL);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
