// Connections that are passed from service to service: who starts one gets its
// messages from then on.
// ctest: thread=4 logger=silent
// ctest: thread=1 logger=silent
#include "sockets.h"

enum { SERVICES = 5 };

static uint32_t ring[SERVICES];
static int peer, turns;

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    int self = (int)(intptr_t)ud;
    const struct skynet_socket_message *message = msg;
    (void)session, (void)source;
    if (type == PTYPE_RESPONSE) {
        CHECK(skynet_socket_listen(context, "127.0.0.1", 0, 8) > 0);
    } else if (type == PTYPE_CLIENT) {
        int id = *(const int *)msg;
        skynet_socket_start(context, id);
    } else if (type == PTYPE_SOCKET && message->type == SKYNET_SOCKET_TYPE_CONNECT
               && message->ud != 0) {
        skynet_socket_start(context, message->id);
        peer = peer_connect("127.0.0.1", message->ud);
    } else if (type == PTYPE_SOCKET && message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
        skynet_send(context, 0, ring[1], PTYPE_CLIENT, 0, (void *)&message->ud, sizeof(int));
    } else if (type == PTYPE_SOCKET && message->type == SKYNET_SOCKET_TYPE_CONNECT) {
        int text = (int)(sz - sizeof *message);
        if (self != 0 || turns > 0) {
            say("service %d: %.*s", self, text, (const char *)(message + 1));
            peer_send(peer, "x", 1);
        }
    } else if (type == PTYPE_SOCKET && message->type == SKYNET_SOCKET_TYPE_DATA) {
        say("service %d: data", self);
        skynet_free(message->buffer);
        if (++turns < 2 * SERVICES)
            skynet_send(context, 0, ring[(self + 1) % SERVICES], PTYPE_CLIENT, 0,
                        (void *)&message->id, sizeof(int));
        else
            close(peer);
    } else if (type == PTYPE_SOCKET) {
        CHECK(message->type == SKYNET_SOCKET_TYPE_CLOSE);
        say("service %d: close", self);
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int socket_transfer_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    static int launched;
    intptr_t self = launched++;
    (void)parm;
    ring[self] = skynet_queryname(context, skynet_command(context, "REG", NULL));
    skynet_callback(context, (void *)self, on_message);
    if (self == 0) {
        for (int i = 1; i < SERVICES; i++)
            CHECK(skynet_command(context, "LAUNCH", "socket_transfer child") != NULL);
        skynet_command(context, "TIMEOUT", "0");
    }
    return 0;
}
