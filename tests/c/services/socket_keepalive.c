// Peers that have to show signs of life: an attempt to connect that nobody answers ends
// after the seconds it was given, a connection whose peer is there goes on meanwhile.
// ctest: only=ours thread=2 logger=silent
#include "sockets.h"

enum { SECONDS = 2 };

static int quiet, healthy, peer, listener, full;

// Listens with room for one connection, and takes it up: the system drops what comes then.
static int full_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    full = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(full >= 0 && bind(full, (struct sockaddr *)&address, size) == 0);
    CHECK(listen(full, 0) == 0);
    CHECK(getsockname(full, (struct sockaddr *)&address, &size) == 0);
    peer_connect("127.0.0.1", ntohs(address.sin_port));
    return ntohs(address.sin_port);
}

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    const struct skynet_socket_message *message = msg;
    (void)ud, (void)session, (void)source, (void)sz;
    if (type == PTYPE_RESPONSE) {
        listener = skynet_socket_listen(context, "127.0.0.1", 0, 8);
        CHECK(listener > 0);
    } else if (type != PTYPE_SOCKET) {
        fail(__FILE__, __LINE__, "a message of another type");
    } else if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->id == listener) {
        if (peer == 0) { // what listening says; starting says it again
            skynet_socket_start(context, listener);
            peer = peer_connect("127.0.0.1", message->ud);
        }
    } else if (message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
        healthy = message->ud;
        skynet_socket_start(context, healthy);
        skynet_socket_keepalive(context, healthy, SECONDS);
        quiet = skynet_socket_connect(context, "127.0.0.1", full_port());
        CHECK(quiet > 0);
        skynet_socket_keepalive(context, quiet, SECONDS);
        // An id that nobody has does no harm.
        skynet_socket_keepalive(context, 0x7ffffff0, SECONDS);
    } else if (message->type == SKYNET_SOCKET_TYPE_ERROR) {
        CHECK(message->id == quiet);
        say("nobody answers");
        peer_send(peer, "x", 1);
    } else if (message->type == SKYNET_SOCKET_TYPE_DATA) {
        CHECK(message->id == healthy);
        skynet_free(message->buffer);
        say("the peer that is there is heard");
        skynet_command(context, "ABORT", NULL);
    } else if (message->type == SKYNET_SOCKET_TYPE_CLOSE) {
        CHECK(message->id == quiet);
    }
    return 0;
}

int socket_keepalive_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, on_message);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
