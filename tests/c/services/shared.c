// Messages that a callback keeps (it returns 1) are its own: here they are passed
// on without a copy through all services, and freed by the last.
// ctest: thread=8 logger=silent
// ctest: thread=1 logger=silent
#include "ctest.h"

enum { SERVICES = 16, MESSAGES = 5000, HOPS = 20 };

static uint32_t ring[SERVICES];
static size_t before;

struct parcel {
    int hops;
    struct parcel *self; // it is not copied on its way
    char filling[100];
};

static int pass_on(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)type, (void)session, (void)source;
    struct parcel *parcel = (struct parcel *)msg;
    uint32_t next = *(uint32_t *)ud;
    CHECK(sz == sizeof *parcel && parcel->self == parcel);
    if (parcel->hops-- == 0)
        next = ring[0];
    skynet_send(context, 0, next, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 0, parcel, sz);
    return 1;
}

static int collect(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)source, (void)sz;
    static int arrived;
    if (type == PTYPE_RESPONSE && session == 1) {
        before = malloc_memory_block();
        for (int i = 0; i < MESSAGES; i++) {
            struct parcel *parcel = skynet_calloc(1, sizeof *parcel);
            parcel->self = parcel;
            parcel->hops = HOPS;
            skynet_send(context, 0, ring[1 + i % (SERVICES - 1)], PTYPE_TEXT | PTYPE_TAG_DONTCOPY,
                        0, parcel, sizeof *parcel);
        }
    } else if (type == PTYPE_RESPONSE) {
        say_leaks("parcels", before, MESSAGES);
        skynet_command(context, "ABORT", NULL);
    } else {
        const struct parcel *parcel = msg;
        CHECK(parcel->self == parcel && parcel->hops == -1);
        if (++arrived == MESSAGES)
            skynet_command(context, "TIMEOUT", "1");
    }
    return 0;
}

int shared_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (strncmp(parm, "child", 5) == 0) {
        int i = atoi(parm + 5);
        skynet_callback(context, &ring[1 + i % (SERVICES - 1)], pass_on);
        return 0;
    }
    ring[0] = skynet_queryname(context, skynet_command(context, "REG", NULL));
    skynet_callback(context, NULL, collect);
    for (int i = 1; i < SERVICES; i++) {
        char command[32];
        snprintf(command, sizeof command, "shared child %d", i);
        ring[i] = skynet_queryname(context, skynet_command(context, "LAUNCH", command));
    }
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
