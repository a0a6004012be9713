// A service that goes away with open sockets: what still arrives for it is dropped
// and freed, and another service can close what it has left.
// ctest: thread=4 logger=silent
#include "sockets.h"

enum { CONNECTIONS = 30, WRITES = 40 };

static int listener, port, count, peers[CONNECTIONS], ids[CONNECTIONS], passes, descriptors;
static uint32_t parent;

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
        ids[count] = message->ud;
        skynet_socket_start(context, message->ud);
        if (++count == CONNECTIONS) {
            skynet_send(context, 0, parent, PTYPE_TEXT, 0, "", 0);
            skynet_command(context, "EXIT", NULL);
        }
    }
    return 0;
}

static int listed(void) {
    int left = 0;
    struct socket_info *list = skynet_socket_info();
    for (struct socket_info *info = list; info != NULL; info = info->next)
        left++;
    socket_info_release(list);
    return left;
}

static int watch(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)msg, (void)sz;
    static size_t blocks;
    if (type == PTYPE_TEXT) {
        blocks = malloc_memory_block();
        for (int j = 0; j < WRITES; j++)
            for (int i = 0; i < CONNECTIONS; i++) // a peer may have been sent away
                send(peers[i], "is anybody there?", 17, MSG_NOSIGNAL);
        close(peer_connect("127.0.0.1", port));
        for (int i = 0; i < CONNECTIONS; i += 2)
            shutdown(peers[i], SHUT_WR);
        skynet_command(context, "TIMEOUT", "10");
    } else if (type == PTYPE_RESPONSE && passes++ == 0) {
        // A node may have closed the sockets already: then there are fewer.
        if (malloc_memory_block() <= blocks + WRITES * CONNECTIONS / 50)
            say("dropped messages: every block freed");
        else
            say("dropped messages: %ld blocks more", (long)(malloc_memory_block() - blocks));
        for (int i = 0; i < CONNECTIONS; i++)
            skynet_socket_close(context, ids[i]);
        skynet_socket_close(context, listener);
        for (int i = 0; i < CONNECTIONS; i++) {
            char byte;
            CHECK(recv(peers[i], &byte, 1, 0) <= 0);
            close(peers[i]);
        }
        skynet_command(context, "TIMEOUT", "1");
    } else if (type == PTYPE_RESPONSE) {
        // One connection that nobody was told of may be left.
        if (listed() <= 1 && open_descriptors() <= descriptors + 1) {
            say("all are gone");
            skynet_command(context, "ABORT", NULL);
        } else if (passes < 1000) {
            skynet_command(context, "TIMEOUT", "1");
        } else {
            fail(__FILE__, __LINE__, "sockets are left");
        }
    }
    return 0;
}

int socket_dead_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (strncmp(parm, "child", 5) == 0) {
        skynet_callback(context, NULL, own);
        listener = skynet_socket_listen(context, "127.0.0.1", 0, 64);
        CHECK(listener > 0);
    } else {
        parent = skynet_queryname(context, skynet_command(context, "REG", NULL));
        skynet_callback(context, NULL, watch);
        descriptors = open_descriptors();
        CHECK(skynet_command(context, "LAUNCH", "socket_dead child") != NULL);
    }
    return 0;
}
