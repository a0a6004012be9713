// Its _init fails, after it queued messages to itself in the name of the service
// in its parameter (":handle").
#include "ctest.h"

int failing_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (parm != NULL && parm[0] == ':') {
        uint32_t sender = skynet_queryname(context, parm);
        uint32_t self = skynet_queryname(context, skynet_command(context, "REG", ""));
        skynet_send(context, sender, self, PTYPE_TEXT, 5, "five", 4);
        skynet_send(context, sender, self, PTYPE_TEXT, 0, NULL, 0);
        skynet_send(context, sender, self, PTYPE_TEXT, 6, "six", 3);
    }
    return 1;
}

void failing_release(void *instance) {
    (void)instance;
    say("failing: released");
}
