// A service that goes away with open sockets on which nothing happens: they are closed
// after a while. One that another service has started meanwhile is not.
// ctest: only=ours thread=2 logger=silent
#include "sockets.h"

enum { CONNECTIONS = 20 };

static int port, count, peers[CONNECTIONS];
static uint32_t parent;

static int own(struct skynet_context *context, void *ud, int type, int session,
               uint32_t source, const void *msg, size_t sz) {
    const struct skynet_socket_message *message = msg;
    (void)ud, (void)session, (void)source, (void)sz;
    CHECK(type == PTYPE_SOCKET);
    if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->ud != 0) {
        port = message->ud;
        skynet_socket_start(context, message->id);
        peers[0] = peer_connect("127.0.0.1", port);
    } else if (message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
        skynet_socket_start(context, message->ud);
        if (++count < CONNECTIONS) {
            peers[count] = peer_connect("127.0.0.1", port);
        } else {
            skynet_send(context, 0, parent, PTYPE_TEXT, 0, (void *)&message->ud, sizeof message->ud);
            skynet_command(context, "EXIT", NULL);
        }
    }
    return 0;
}

static int watch(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)sz;
    static int id;
    char byte;
    if (type == PTYPE_TEXT) {
        memcpy(&id, msg, sizeof id);
        skynet_socket_start(context, id);
        alarm(40);
        for (int i = 0; i < CONNECTIONS - 1; i++)
            CHECK(recv(peers[i], &byte, 1, 0) == 0);
        alarm(0);
        say("the forgotten ones are closed");
        skynet_command(context, "TIMEOUT", "1200");
    } else if (type == PTYPE_RESPONSE) {
        struct socket_info *list = skynet_socket_info();
        CHECK(list != NULL && list->id == id && list->next == NULL);
        CHECK(list->type == SOCKET_INFO_TCP);
        socket_info_release(list);
        say("the one that was taken over is not");
        skynet_socket_shutdown(context, id);
        for (int i = 0; i < CONNECTIONS; i++)
            close(peers[i]);
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int socket_forgotten_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (strcmp(parm, "child") == 0) {
        skynet_callback(context, NULL, own);
        return skynet_socket_listen(context, "127.0.0.1", 0, CONNECTIONS) < 0;
    }
    skynet_callback(context, NULL, watch);
    parent = (uint32_t)strtoul(skynet_command(context, "REG", NULL) + 1, NULL, 16);
    CHECK(skynet_command(context, "LAUNCH", "socket_forgotten child") != NULL);
    return 0;
}
