// Eight senders, one receiver: each sender's messages arrive in its order, none is
// lost, none comes twice; the receiver runs on one thread at a time.
// ctest: thread=1 logger=silent
// ctest: thread=8 logger=silent
// ctest: thread=8 harbor=0 logger=silent
#include "ctest.h"

#include <stdatomic.h>

enum { SENDERS = 8, MESSAGES = 20000, SLICE = 500 };

static uint32_t receiver;

struct order {
    int sent;
    int seen[SENDERS];
    int total;
    atomic_int inside;
};

struct order *order_create(void) {
    return skynet_calloc(1, sizeof(struct order));
}

void order_release(struct order *self) {
    skynet_free(self);
}

// A sender sends a part, then lets others run.
static int send_some(struct skynet_context *context, void *ud, int type, int session,
                     uint32_t source, const void *msg, size_t sz) {
    (void)type, (void)session, (void)source, (void)msg, (void)sz;
    struct order *self = ud;
    for (int i = 0; i < SLICE; i++, self->sent++)
        CHECK(skynet_send(context, 0, receiver, PTYPE_TEXT, 0, &self->sent, sizeof self->sent) == 0);
    skynet_command(context, self->sent < MESSAGES ? "TIMEOUT" : "EXIT", "0");
    return 0;
}

static int receive(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)session;
    struct order *self = ud;
    CHECK(atomic_fetch_add(&self->inside, 1) == 0);
    CHECK(type == PTYPE_TEXT && sz == sizeof(int));
    int sender = (int)(source - receiver) - 1, number;
    memcpy(&number, msg, sizeof number);
    CHECK(sender >= 0 && sender < SENDERS);
    CHECK(self->seen[sender] == number);
    self->seen[sender]++;
    if (++self->total == SENDERS * MESSAGES) {
        say("%d messages of %d senders, each in its order", self->total, SENDERS);
        skynet_command(context, "ABORT", NULL);
    }
    atomic_fetch_sub(&self->inside, 1);
    return 0;
}

int order_init(struct order *self, struct skynet_context *context, const char *parm) {
    if (strcmp(parm, "sender") == 0) {
        skynet_callback(context, self, send_some);
        skynet_command(context, "TIMEOUT", "0");
        return 0;
    }
    receiver = skynet_queryname(context, skynet_command(context, "REG", NULL));
    skynet_callback(context, self, receive);
    for (int i = 0; i < SENDERS; i++)
        CHECK(skynet_command(context, "LAUNCH", "order sender") != NULL);
    return 0;
}
