// A service that goes away with open sockets: what still arrives for it is dropped
// and freed, and another service can close what it has left.
// ctest: thread=4 logger=silent
enum { CONNECTIONS = 30, WRITES = 40, WRITTEN = 17, PASSES = 1000 };
#include "left.h"

static int descriptors;

// The sockets that are listed, and whether each has read all that was written to it.
static int listed(bool *read) {
    int count = 0;
    *read = true;
    struct socket_info *list = skynet_socket_info();
    for (struct socket_info *info = list; info != NULL; info = info->next) {
        count++;
        for (int i = 0; i < CONNECTIONS; i++)
            if (info->id == left.ids[i] && info->read < WRITES * WRITTEN)
                *read = false;
    }
    socket_info_release(list);
    return count;
}

static int watch(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)msg, (void)sz;
    static size_t blocks;
    static int passes;
    static bool closed;
    bool read;
    int count = listed(&read);
    if (type == PTYPE_TEXT) {
        blocks = malloc_memory_block();
        for (int j = 0; j < WRITES; j++)
            for (int i = 0; i < CONNECTIONS; i++) // a peer may have been sent away
                send(left.peers[i], "is anybody there?", WRITTEN, MSG_NOSIGNAL);
        close(peer_connect("127.0.0.1", left.port));
        for (int i = 0; i < CONNECTIONS; i += 2)
            shutdown(left.peers[i], SHUT_WR);
    } else if (!closed) {
        // A node may have closed the sockets already: then there are fewer.
        if (read && malloc_memory_block() <= blocks + WRITES * CONNECTIONS / 50) {
            say("dropped messages: every block freed");
            closed = true;
            for (int i = 0; i < CONNECTIONS; i++)
                skynet_socket_close(context, left.ids[i]);
            skynet_socket_close(context, left.listener);
            for (int i = 0; i < CONNECTIONS; i++) {
                char byte;
                CHECK(recv(left.peers[i], &byte, 1, 0) <= 0);
                close(left.peers[i]);
            }
        } else if (++passes == PASSES) {
            say("%ld blocks more", (long)(malloc_memory_block() - blocks));
            fail(__FILE__, __LINE__, read ? "messages are not freed" : "messages are not read");
        }
    } else if (count <= 1 && open_descriptors() <= descriptors + 1) {
        // One connection that nobody was told of may be left.
        say("all are gone");
        skynet_command(context, "ABORT", NULL);
        return 0;
    } else if (++passes == 2 * PASSES) {
        fail(__FILE__, __LINE__, "sockets are left");
    }
    skynet_command(context, "TIMEOUT", "1");
    return 0;
}

int socket_dead_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (!left_is_child(context, parm)) {
        skynet_callback(context, NULL, watch);
        descriptors = open_descriptors();
        left_launch(context, "socket_dead");
    }
    return 0;
}
