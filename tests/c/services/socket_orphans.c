// A service that goes away with open sockets: as soon as something happens to one of
// them, it is closed, for nobody else would do it.
// ctest: only=ours thread=4 logger=silent
enum { CONNECTIONS = 30 };
#include "left.h"

static int descriptors;

// A message that says nothing.
static const struct skynet_socket_message none = {.type = SKYNET_SOCKET_TYPE_WARNING};

static int watch(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)msg, (void)sz;
    static int passes;
    char byte;
    if (type == PTYPE_TEXT) {
        // What reaches a service before it is gone is a matter of socket_dropped.
        waiting("the service to go");
        while (skynet_send(context, 0, left.child, PTYPE_SOCKET, 0, (void *)&none, sizeof none) >= 0)
            usleep(1000);
        alarm(0);
        for (int i = 0; i < CONNECTIONS; i++) {
            if (i % 2)
                peer_send(left.peers[i], "is anybody there?", 17);
            else
                shutdown(left.peers[i], SHUT_WR);
            CHECK(recv(left.peers[i], &byte, 1, 0) == 0 || errno == ECONNRESET);
            close(left.peers[i]);
        }
        say("every connection is ended");
        // One that the listener's owner would have been told of.
        int peer = peer_connect("127.0.0.1", left.port);
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
    if (!left_is_child(context, parm)) {
        skynet_callback(context, NULL, watch);
        descriptors = open_descriptors();
        left_launch(context, "socket_orphans");
    }
    return 0;
}
