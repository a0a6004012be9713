// ABORT while messages are on their way: each service is released once, after its
// last callback, and the node ends.
// ctest: thread=8 logger=silent
// ctest: thread=1 logger=silent
#include "ctest.h"

#include <stdatomic.h>

enum { SERVICES = 200, FIRST = 3 };

static atomic_int live, inside, handled;
static uint32_t handles[SERVICES];

struct shutdown {
    bool child;
};

struct shutdown *shutdown_create(void) {
    return skynet_calloc(1, sizeof(struct shutdown));
}

static int pass_on(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)source, (void)msg, (void)sz;
    atomic_fetch_add(&inside, 1);
    CHECK(atomic_load(&live) > 0);
    int n = atomic_fetch_add(&handled, 1);
    if (type != PTYPE_ERROR)
        skynet_send(context, 0, handles[(session + n) % SERVICES], PTYPE_TEXT, session + 1, "on", 2);
    if (n == 20000) {
        say("aborting");
        skynet_command(context, "ABORT", NULL);
    }
    atomic_fetch_sub(&inside, 1);
    return 0;
}

int shutdown_init(struct shutdown *self, struct skynet_context *context, const char *parm) {
    if (strcmp(parm, "child") == 0) {
        self->child = true;
        atomic_fetch_add(&live, 1);
        skynet_callback(context, self, pass_on);
        return 0;
    }
    for (int i = 0; i < SERVICES; i++)
        handles[i] = skynet_queryname(context, skynet_command(context, "LAUNCH", "shutdown child"));
    for (int i = 0; i < SERVICES * 4; i++)
        CHECK(skynet_send(context, 0, handles[i % SERVICES], PTYPE_TEXT, i, "go", 2) == i);
    return 0;
}

void shutdown_release(struct shutdown *self) {
    if (self->child && atomic_fetch_sub(&live, 1) == 1)
        say("all released");
    skynet_free(self);
}
