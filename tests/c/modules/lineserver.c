// A third party's socket service: accepts, starts, sets nodelay, and passes each
// message with data on to the service in its parameter, the same pointer. What comes
// back with PTYPE_PARTY is sent; text "bye" ends the connection.
#include "parties.h"

struct lineserver {
    uint32_t keeper, owner;
};

static int on_socket(struct skynet_context *context, struct lineserver *self, void *msg,
                     size_t sz) {
    struct skynet_socket_message *message = msg;
    switch (message->type) {
    case SKYNET_SOCKET_TYPE_CONNECT:
        if (message->ud != 0) {
            skynet_socket_start(context, message->id);
            skynet_send(context, 0, self->owner, PTYPE_CLIENT, 0, &message->ud, sizeof(int));
        }
        break;
    case SKYNET_SOCKET_TYPE_ACCEPT:
        skynet_socket_start(context, message->ud);
        skynet_socket_nodelay(context, message->ud);
        break;
    case SKYNET_SOCKET_TYPE_DATA: {
        uintptr_t pointer = (uintptr_t)msg;
        skynet_send(context, 0, self->keeper, PTYPE_CLIENT, 0, &pointer, sizeof pointer);
        skynet_send(context, 0, self->keeper, PTYPE_SOCKET | PTYPE_TAG_DONTCOPY, 0, msg, sz);
        return 1;
    }
    case SKYNET_SOCKET_TYPE_CLOSE:
        skynet_socket_shutdown(context, message->id);
        break;
    default:
        fail(__FILE__, __LINE__, "another message");
    }
    return 0;
}

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    struct lineserver *self = ud;
    (void)source;
    if (type == PTYPE_SOCKET)
        return on_socket(context, self, (void *)msg, sz);
    CHECK(type == PTYPE_PARTY && sz == sizeof(struct party) && session > 0);
    const struct party *party = msg;
    size_t length = strlen(party->text);
    char *block = skynet_malloc(length);
    memcpy(block, party->text, length);
    skynet_socket_send(context, party->id, block, (int)length); // it may be closed
    if (strcmp(party->text, "bye") == 0)
        skynet_socket_shutdown(context, party->id);
    return 0;
}

void *lineserver_create(void) {
    return skynet_calloc(1, sizeof(struct lineserver));
}

int lineserver_init(void *instance, struct skynet_context *context, const char *parm) {
    struct lineserver *self = instance;
    if (sscanf(parm, "%x %x", &self->keeper, &self->owner) != 2)
        return 1;
    skynet_callback(context, self, on_message);
    return skynet_socket_listen(context, "127.0.0.1", 0, 16) > 0 ? 0 : 1;
}

void lineserver_release(void *instance) {
    skynet_free(instance);
}
