// A service that asks for sockets while the node has none, not any more or not yet:
// it hears of that at once, though nobody has sockets to look after.
// ctest: thread=1 logger=silent
// ctest: thread=4 logger=silent
#include "sockets.h"

static int step, id, port, listener;

static void next(struct skynet_context *context) {
    switch (step++) {
    case 0: // before there was any
        waiting("an answer about a socket that never was");
        skynet_socket_start(context, 77);
        break;
    case 1:
        listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);
        waiting("a connection");
        id = skynet_socket_connect(context, "127.0.0.1", port);
        break;
    case 2:
        skynet_socket_close(context, id);
        break;
    case 3: // after the last one; nobody looks at sockets any more by then
        skynet_command(context, "TIMEOUT", "10");
        break;
    case 4:
        waiting("an answer about a socket that is gone");
        skynet_socket_start(context, id);
        break;
    case 5:
        alarm(0);
        close(listener);
        skynet_command(context, "ABORT", NULL);
        break;
    }
}

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    const struct skynet_socket_message *message = msg;
    (void)ud, (void)session, (void)source;
    if (type == PTYPE_SOCKET)
        say("type %d, %s id, \"%.*s\"", message->type, message->id == id ? "the connection's" : "another",
            (int)(sz - sizeof *message), (const char *)(message + 1));
    next(context);
    return 0;
}

int socket_gone_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, on_message);
    skynet_command(context, "TIMEOUT", "10");
    return 0;
}
