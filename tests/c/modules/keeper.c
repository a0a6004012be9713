// A third party's service that keeps messages: it holds what lineserver passes on
// until it has three, and then sends the same pointers on to the service in its
// parameter.
#include "parties.h"

enum { HELD = 3 };

struct keeper {
    uint32_t next;
    int count;
    const void *announced, *messages[HELD];
    uint32_t sources[HELD];
    size_t sizes[HELD];
};

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    struct keeper *self = ud;
    (void)session;
    if (type == PTYPE_CLIENT) {
        CHECK(sz == sizeof self->announced);
        memcpy(&self->announced, msg, sz);
        return 0;
    }
    CHECK(type == PTYPE_SOCKET && msg == self->announced);
    self->messages[self->count] = msg;
    self->sources[self->count] = source;
    self->sizes[self->count] = sz;
    if (++self->count == HELD) {
        for (int i = 0; i < HELD; i++) // as if it came from whom it came
            skynet_send(context, self->sources[i], self->next, PTYPE_SOCKET | PTYPE_TAG_DONTCOPY,
                        0, (void *)self->messages[i], self->sizes[i]);
        self->count = 0;
    }
    return 1;
}

void *keeper_create(void) {
    return skynet_calloc(1, sizeof(struct keeper));
}

int keeper_init(void *instance, struct skynet_context *context, const char *parm) {
    struct keeper *self = instance;
    self->next = (uint32_t)strtoul(parm, NULL, 16);
    skynet_callback(context, self, on_message);
    return 0;
}

void keeper_release(void *instance) {
    struct keeper *self = instance;
    for (int i = 0; i < self->count; i++) {
        skynet_free(((struct skynet_socket_message *)self->messages[i])->buffer);
        skynet_free((void *)self->messages[i]);
    }
    skynet_free(instance);
}
