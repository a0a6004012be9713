// What a service gets for each thing that happens to a socket: one thing at a time,
// with plain sockets at the other ends.
// ctest: thread=4 logger=silent needs=ipv6
#include "sockets.h"

static int step, port, listener, connection, client, udp_server, udp_client, bound, v6;
static int peer, outside, outside_port, pipes[2];

static void send_by_each_way(struct skynet_context *context) {
    char got[32];
    CHECK(skynet_socket_send(context, connection, strdup("one "), 4) == 0);
    struct socket_sendbuffer buffer = {
        .id = connection, .type = SOCKET_BUFFER_RAWPOINTER, .buffer = "two ", .sz = 4};
    CHECK(skynet_socket_sendbuffer(context, &buffer) == 0);
    CHECK(recv(peer, got, 8, MSG_WAITALL) == 8);
    buffer.buffer = "three ";
    buffer.sz = 6;
    CHECK(skynet_socket_sendbuffer_lowpriority(context, &buffer) == 0);
    CHECK(recv(peer, got + 8, 6, MSG_WAITALL) == 6);
    CHECK(skynet_socket_send_lowpriority(context, connection, strdup("four"), 4) == 0);
    CHECK(recv(peer, got + 14, 4, MSG_WAITALL) == 4);
    say("sent \"%.18s\"", got);
}

static void show_message(const struct skynet_socket_message *message, size_t sz) {
    static const char *const types[] = {"", "data", "connect", "close", "accept", "error", "udp",
                                        "warning"};
    char copy[200];
    int text = (int)(sz - sizeof *message);
    CHECK(text < (int)sizeof copy);
    CHECK(message->type >= 1 && message->type <= 7 && text >= 0);
    CHECK((message->buffer != NULL)
          == (message->type == SKYNET_SOCKET_TYPE_DATA || message->type == SKYNET_SOCKET_TYPE_UDP));
    if (message->buffer != NULL)
        say("%d %s, %d bytes \"%.*s\"", message->id, types[message->type], message->ud,
            message->ud, message->buffer);
    else if (text > 0)
        say("%d %s, %s, \"%s\"", message->id, types[message->type],
            message->type == SKYNET_SOCKET_TYPE_ACCEPT ? "an id"
            : message->ud != 0                         ? "a port"
                                                       : "0",
            portless(memcpy(memset(copy, 0, sizeof copy), message + 1, (size_t)text)));
    else
        say("%d %s, %s", message->id, types[message->type], message->ud ? "a number" : "0");
}

static void next(struct skynet_context *context, const struct skynet_socket_message *message,
                 size_t sz) {
    switch (step++) {
    case 0:
        listener = skynet_socket_listen(context, "127.0.0.1", 0, 8);
        break;
    case 1:
        port = message->ud;
        skynet_socket_start(context, listener);
        break;
    case 2:
        peer = peer_connect("127.0.0.1", port);
        break;
    case 3:
        connection = message->ud;
        char from[64];
        snprintf(from, sizeof from, "127.0.0.1:%d", own_port(peer));
        CHECK(sz - sizeof *message == strlen(from));
        CHECK(memcmp(message + 1, from, strlen(from)) == 0);
        skynet_socket_start(context, connection);
        break;
    case 4:
        skynet_socket_nodelay(context, connection);
        send_by_each_way(context);
        peer_send(peer, "hello", 5);
        break;
    case 5:
        skynet_socket_pause(context, connection);
        skynet_socket_start(context, connection);
        break;
    case 6: // more than the system takes: a warning, and another when it is read
        CHECK(skynet_socket_send_lowpriority(context, connection, skynet_calloc(12, 1 << 20),
                                             12 << 20) == 0);
        break;
    case 7:
        CHECK(message->ud > 1024 && message->ud <= 12 * 1024);
        for (size_t left = 12 << 20; left > 0;) {
            static char sink[1 << 20];
            ssize_t n = recv(peer, sink, left < sizeof sink ? left : sizeof sink, 0);
            CHECK(n > 0);
            left -= (size_t)n;
        }
        break;
    case 8:
        shutdown(peer, SHUT_WR);
        break;
    case 9:
        skynet_socket_start(context, connection);
        break;
    case 10: // says no more: its close has been told
        skynet_socket_close(context, connection);
        skynet_socket_start(context, connection);
        break;
    case 11:
        CHECK(recv(peer, &(char){0}, 1, 0) == 0);
        close(peer);
        outside = peer_bind(SOCK_STREAM, "127.0.0.1", &outside_port);
        client = skynet_socket_connect(context, "127.0.0.1", outside_port);
        break;
    case 12:
        peer = peer_accept(outside);
        skynet_socket_shutdown(context, client);
        break;
    case 13:
        close(outside);
        close(peer);
        skynet_socket_connect(context, "127.0.0.1", outside_port);
        break;
    case 14:
        v6 = skynet_socket_listen(context, "::1", 0, 8);
        break;
    case 15:
        skynet_socket_close(context, v6);
        break;
    case 16:
        close(peer_bind(SOCK_DGRAM, "127.0.0.1", &port));
        udp_server = skynet_socket_udp_listen(context, "127.0.0.1", port);
        udp_client = skynet_socket_udp_dial(context, "127.0.0.1", port);
        CHECK(udp_server > 0 && udp_client > 0);
        CHECK(skynet_socket_send(context, udp_client, strdup("question"), 8) == 0);
        break;
    case 17: {
        int size = 0;
        const char *address = skynet_socket_udp_address((void *)message, &size);
        CHECK(address == message->buffer + message->ud && size == 7 && address[0] == 1);
        CHECK(skynet_socket_udp_send(context, udp_server, address, strdup("answer"), 6) == 0);
        break;
    }
    case 18:
        skynet_socket_close(context, udp_client);
        break;
    case 19:
        CHECK(skynet_socket_udp_address((void *)message, &(int){0}) == NULL);
        udp_client = skynet_socket_udp(context, NULL, 0);
        CHECK(skynet_socket_udp_connect(context, udp_client, "127.0.0.1", port) == 0);
        struct socket_sendbuffer buffer = {
            .id = udp_client, .type = SOCKET_BUFFER_RAWPOINTER, .buffer = "again", .sz = 5};
        char address[7] = {1, (char)(port >> 8), (char)port, 127, 0, 0, 1};
        CHECK(skynet_socket_udp_sendbuffer(context, address, &buffer) == 0);
        break;
    case 20:
        CHECK(skynet_socket_udp_connect(context, udp_client, "::1", port) == 0);
        break;
    case 21:
        CHECK(pipe(pipes) == 0);
        bound = skynet_socket_bind(context, pipes[0]);
        break;
    case 22:
        CHECK(write(pipes[1], "through a pipe", 14) == 14);
        break;
    case 23: {
        int count = 0;
        struct socket_info *list = skynet_socket_info();
        for (struct socket_info *info = list; info != NULL; info = info->next, count++)
            CHECK(info->opaque == skynet_current_handle());
        socket_info_release(list);
        say("%d sockets", count);
        skynet_socket_close(context, bound);
        break;
    }
    case 24:
        close(pipes[0]);
        close(pipes[1]);
        skynet_command(context, "ABORT", NULL);
        break;
    default:
        fail(__FILE__, __LINE__, "a message too many");
    }
}

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session;
    if (type == PTYPE_SOCKET) {
        const struct skynet_socket_message *message = msg;
        CHECK(source == 0 && session == 0);
        show_message(message, sz);
        next(context, message, sz);
        skynet_free(message->buffer);
    } else if (type == PTYPE_RESPONSE) {
        next(context, NULL, 0);
    }
    return 0;
}

int socket_messages_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, on_message);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
