// Services that go away with open sockets on which nothing happens: they are closed
// after a while. One that another service has started meanwhile is not, nor later.
// ctest: only=ours thread=2 logger=silent
enum { CONNECTIONS = 20 };
#include "left.h"

static void await_ends(int count) {
    char byte;
    alarm(40);
    for (int i = 0; i < count; i++) {
        CHECK(recv(left.peers[i], &byte, 1, 0) == 0);
        close(left.peers[i]);
    }
    alarm(0);
}

static int watch(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)msg, (void)sz;
    static int id, peer;
    if (type != PTYPE_TEXT) // of the socket that is taken over
        return 0;
    if (id == 0) {
        id = left.ids[CONNECTIONS - 1];
        peer = left.peers[CONNECTIONS - 1];
        skynet_socket_start(context, id);
        await_ends(CONNECTIONS - 1);
        say("the forgotten ones are closed");
        left_launch(context, "socket_forgotten");
        return 0;
    }
    // Whatever closed these has come by the first service's again.
    await_ends(CONNECTIONS);
    say("those of another service too");
    struct socket_info *list = skynet_socket_info();
    CHECK(list != NULL && list->id == id && list->next == NULL);
    CHECK(list->type == SOCKET_INFO_TCP);
    socket_info_release(list);
    say("the one that was taken over is not");
    skynet_socket_shutdown(context, id);
    close(peer);
    skynet_command(context, "ABORT", NULL);
    return 0;
}

int socket_forgotten_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (!left_is_child(context, parm)) {
        skynet_callback(context, NULL, watch);
        left_launch(context, "socket_forgotten");
    }
    return 0;
}
