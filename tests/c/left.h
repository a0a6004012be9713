// A service that listens, accepts CONNECTIONS connections, tells its parent, and goes
// away with all of them open. The program that includes this defines CONNECTIONS.
#ifndef CTEST_LEFT_H
#define CTEST_LEFT_H

#include "sockets.h"

static struct {
    int listener, port, count;
    int ids[CONNECTIONS], peers[CONNECTIONS]; // the node's sockets, and their other ends
    uint32_t child;
} left;
static uint32_t left_parent;

static int left_callback(struct skynet_context *context, void *ud, int type, int session,
                         uint32_t source, const void *msg, size_t sz) {
    const struct skynet_socket_message *message = msg;
    (void)ud, (void)session, (void)source, (void)sz;
    CHECK(type == PTYPE_SOCKET);
    if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->ud != 0) {
        left.port = message->ud;
        skynet_socket_start(context, message->id);
        left.peers[0] = peer_connect("127.0.0.1", left.port);
    } else if (message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
        left.ids[left.count] = message->ud;
        skynet_socket_start(context, message->ud);
        if (++left.count < CONNECTIONS) {
            left.peers[left.count] = peer_connect("127.0.0.1", left.port);
        } else {
            left.child = skynet_current_handle();
            skynet_send(context, 0, left_parent, PTYPE_TEXT, 0, "", 0);
            skynet_command(context, "EXIT", NULL);
        }
    }
    return 0;
}

// Launches such a service, of the program that calls this; PTYPE_TEXT comes when it goes.
static void left_launch(struct skynet_context *context, const char *program) {
    char line[100];
    memset(&left, 0, sizeof left);
    left_parent = skynet_queryname(context, skynet_command(context, "REG", NULL));
    snprintf(line, sizeof line, "%s child", program);
    CHECK(skynet_command(context, "LAUNCH", line) != NULL);
}

// For the program's `_init`: whether this is the service, which is then started.
static bool left_is_child(struct skynet_context *context, const char *parm) {
    if (strcmp(parm, "child") != 0)
        return false;
    skynet_callback(context, NULL, left_callback);
    left.listener = skynet_socket_listen(context, "127.0.0.1", 0, 64);
    CHECK(left.listener > 0);
    return true;
}

#endif
