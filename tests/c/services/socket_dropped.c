// A service that goes away with messages of its sockets in its mailbox: the blocks of
// data are freed with them, and the sockets that they were about are closed, for
// nobody will act on what was told.
// ctest: only=ours thread=4 logger=silent
#include "sockets.h"

enum { CONNECTIONS = 20, ROUNDS = 5, PIECE = 4000 };

static int port, accepted, peers[CONNECTIONS], ids[CONNECTIONS], rounds, passes;
static size_t blocks;

// Whether every connection has sent all and half-closed, as the node knows.
static bool all_are_told(void) {
    int count = 0;
    struct socket_info *list = skynet_socket_info();
    for (struct socket_info *info = list; info != NULL; info = info->next)
        count += info->type == SOCKET_INFO_CLOSING && info->read == PIECE;
    socket_info_release(list);
    return count == CONNECTIONS;
}

static int own(struct skynet_context *context, void *ud, int type, int session,
               uint32_t source, const void *msg, size_t sz) {
    const struct skynet_socket_message *message = msg;
    (void)ud, (void)session, (void)source, (void)sz;
    CHECK(type == PTYPE_SOCKET);
    if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->ud != 0) {
        accepted = 0;
        port = message->ud;
        skynet_socket_start(context, message->id);
        for (int i = 0; i < CONNECTIONS; i++)
            peers[i] = peer_connect("127.0.0.1", port);
    } else if (message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
        ids[accepted++] = message->ud;
        skynet_socket_start(context, message->ud);
    } else if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->id == ids[CONNECTIONS - 1]) {
        // What comes from here on waits in the mailbox.
        static char data[PIECE];
        for (int i = 0; i < CONNECTIONS; i++) {
            peer_send(peers[i], data, sizeof data);
            shutdown(peers[i], SHUT_WR);
        }
        waiting("the node to read all");
        while (!all_are_told())
            usleep(1000);
        alarm(0);
        skynet_command(context, "EXIT", NULL);
    }
    return 0;
}

static int listed(void) {
    int count = 0;
    struct socket_info *list = skynet_socket_info();
    for (struct socket_info *info = list; info != NULL; info = info->next)
        count += info->type != SOCKET_INFO_LISTEN; // nothing happens to those
    socket_info_release(list);
    return count;
}

static int watch(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)msg, (void)sz;
    if (type != PTYPE_RESPONSE)
        return 0;
    // The owner runs as long as it is busy; after it, the connections are to end.
    if (rounds > 0 && (accepted < CONNECTIONS || listed() > 0)) {
        if (++passes == 1000) {
            say("%d connections are left", listed());
            fail(__FILE__, __LINE__, "nobody closes them");
        }
        skynet_command(context, "TIMEOUT", "1");
        return 0;
    }
    for (int i = 0; i < CONNECTIONS && rounds > 0; i++)
        close(peers[i]);
    if (rounds == 1)
        blocks = malloc_memory_block();
    if (rounds++ == ROUNDS) {
        // Each round has 20 times seven blocks of data, and a few for its listener.
        long more = (long)malloc_memory_block() - (long)blocks;
        if (more > CONNECTIONS * ROUNDS)
            say("%ld blocks are left", more);
        else
            say("the connections are closed, and the blocks freed");
        skynet_command(context, "ABORT", NULL);
        return 0;
    }
    accepted = 0;
    CHECK(skynet_command(context, "LAUNCH", "socket_dropped child") != NULL);
    skynet_command(context, "TIMEOUT", "1");
    return 0;
}

int socket_dropped_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (strncmp(parm, "child", 5) == 0) {
        skynet_callback(context, NULL, own);
        CHECK(skynet_socket_listen(context, "127.0.0.1", 0, 64) > 0);
    } else {
        skynet_callback(context, NULL, watch);
        skynet_command(context, "TIMEOUT", "0");
    }
    return 0;
}
