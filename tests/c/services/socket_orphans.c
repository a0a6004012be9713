// A service that goes away with open sockets: as soon as something happens to one of
// them, it is closed, for nobody else would do it.
// ctest: only=ours thread=4 logger=silent
#include "sockets.h"

enum { CONNECTIONS = 30 };

static int port, count, peers[CONNECTIONS], descriptors;
static uint32_t parent, child;

static int own(struct skynet_context *context, void *ud, int type, int session,
               uint32_t source, const void *msg, size_t sz) {
    const struct skynet_socket_message *message = msg;
    (void)ud, (void)session, (void)source, (void)sz;
    CHECK(type == PTYPE_SOCKET);
    if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->ud != 0) {
        port = message->ud;
        skynet_socket_start(context, message->id);
        for (int i = 0; i < CONNECTIONS; i++)
            peers[i] = peer_connect("127.0.0.1", port);
    } else if (message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
        skynet_socket_start(context, message->ud);
        if (++count == CONNECTIONS) {
            child = skynet_current_handle();
            skynet_send(context, 0, parent, PTYPE_TEXT, 0, "", 0);
            skynet_command(context, "EXIT", NULL);
        }
    }
    return 0;
}

// A message that says nothing.
static const struct skynet_socket_message none = {.type = SKYNET_SOCKET_TYPE_WARNING};

static int watch(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)msg, (void)sz;
    static int passes;
    if (type == PTYPE_TEXT) {
        // What reaches a service before it is gone is a matter of socket_dropped.
        waiting("the service to go");
        while (skynet_send(context, 0, child, PTYPE_SOCKET, 0, (void *)&none, sizeof none) >= 0)
            usleep(1000);
        alarm(0);
        for (int i = 0; i < CONNECTIONS; i++) {
            char byte;
            if (i % 2)
                peer_send(peers[i], "is anybody there?", 17);
            else
                shutdown(peers[i], SHUT_WR);
            CHECK(recv(peers[i], &byte, 1, 0) == 0 || errno == ECONNRESET);
            close(peers[i]);
        }
        say("every connection is ended");
        // One that the listener's owner would have been told of.
        int peer = peer_connect("127.0.0.1", port);
        char byte;
        CHECK(recv(peer, &byte, 1, 0) == 0 || errno == ECONNRESET);
        close(peer);
        skynet_command(context, "TIMEOUT", "1");
    } else if (type == PTYPE_RESPONSE) {
        struct socket_info *list = skynet_socket_info();
        bool gone = list == NULL && open_descriptors() <= descriptors;
        socket_info_release(list);
        if (gone) {
            say("nothing is left");
            skynet_command(context, "ABORT", NULL);
        } else {
            if (++passes == 1000) {
                for (struct socket_info *info = skynet_socket_info(); info; info = info->next)
                    say("id %d, type %d, for %lx", info->id, info->type, (long)info->opaque);
                say("%d descriptors, %d before", open_descriptors(), descriptors);
                fail(__FILE__, __LINE__, "something is left");
            }
            skynet_command(context, "TIMEOUT", "1");
        }
    }
    return 0;
}

int socket_orphans_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (strncmp(parm, "child", 5) == 0) {
        skynet_callback(context, NULL, own);
        CHECK(skynet_socket_listen(context, "127.0.0.1", 0, 64) > 0);
    } else {
        parent = skynet_queryname(context, skynet_command(context, "REG", NULL));
        skynet_callback(context, NULL, watch);
        descriptors = open_descriptors();
        CHECK(skynet_command(context, "LAUNCH", "socket_orphans child") != NULL);
    }
    return 0;
}
