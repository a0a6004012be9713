// An echo service and its clients, through skynet_socket.h alone: each client sends
// numbered lines of growing length and gets them back, then one side closes. Each
// socket reports one close.
// ctest: thread=8 logger=silent
// ctest: thread=1 logger=silent
#include "ctest.h"
#include "skynet_socket.h"

#include <stdatomic.h>

enum { CLIENTS = 40, ROUNDS = 60, IDS = 1024 };

static uint32_t director;
static atomic_int closed[IDS], ends, bytes;

static void count_close(struct skynet_context *context, int id) {
    CHECK(id > 0 && id < IDS && atomic_fetch_add(&closed[id], 1) == 0);
    if (atomic_fetch_add(&ends, 1) + 1 == 2 * CLIENTS)
        skynet_send(context, 0, director, PTYPE_TEXT, 0, "", 0);
}

static int serve(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    const struct skynet_socket_message *message = msg;
    (void)ud, (void)session, (void)source;
    CHECK(type == PTYPE_SOCKET && sz >= sizeof *message);
    switch (message->type) {
    case SKYNET_SOCKET_TYPE_CONNECT:
        if (message->ud != 0) { // listening: the port is for the director
            skynet_socket_start(context, message->id);
            skynet_send(context, 0, director, PTYPE_CLIENT, 0, (void *)&message->ud, sizeof(int));
        }
        break;
    case SKYNET_SOCKET_TYPE_ACCEPT:
        skynet_socket_start(context, message->ud);
        skynet_socket_nodelay(context, message->ud);
        break;
    case SKYNET_SOCKET_TYPE_DATA: // the block goes back as it came
        bytes += message->ud;
        skynet_socket_send(context, message->id, message->buffer, message->ud);
        break;
    case SKYNET_SOCKET_TYPE_CLOSE:
        count_close(context, message->id);
        skynet_socket_close(context, message->id);
        break;
    default:
        fail(__FILE__, __LINE__, "an error or a warning");
    }
    return 0;
}

struct client {
    int id, round, received;
    char line[8 * ROUNDS], got[8 * ROUNDS];
};

static int length_of(int round) {
    return 8 * round;
}

static void next_round(struct skynet_context *context, struct client *client) {
    int length = length_of(++client->round);
    client->received = 0;
    for (int i = 0; i < length; i++)
        client->line[i] = (char)(client->id + client->round + i);
    char *block = skynet_malloc((size_t)length);
    memcpy(block, client->line, (size_t)length);
    if (client->round % 2)
        CHECK(skynet_socket_send(context, client->id, block, length) == 0);
    else
        CHECK(skynet_socket_send_lowpriority(context, client->id, block, length) == 0);
}

static int ask(struct skynet_context *context, void *ud, int type, int session,
               uint32_t source, const void *msg, size_t sz) {
    const struct skynet_socket_message *message = msg;
    struct client *client = ud;
    (void)session, (void)source;
    CHECK(type == PTYPE_SOCKET && sz >= sizeof *message);
    CHECK(message->id == client->id);
    if (message->type == SKYNET_SOCKET_TYPE_CONNECT) {
        skynet_socket_nodelay(context, client->id);
        next_round(context, client);
    } else if (message->type == SKYNET_SOCKET_TYPE_DATA) {
        int length = length_of(client->round);
        CHECK(message->ud <= length - client->received);
        memcpy(client->got + client->received, message->buffer, (size_t)message->ud);
        client->received += message->ud;
        skynet_free(message->buffer);
        if (client->received == length) {
            CHECK(memcmp(client->got, client->line, (size_t)length) == 0);
            if (client->round < ROUNDS)
                next_round(context, client);
            else if (client->id % 2)
                skynet_socket_close(context, client->id);
            else
                skynet_socket_shutdown(context, client->id);
        }
    } else {
        CHECK(message->type == SKYNET_SOCKET_TYPE_CLOSE);
        count_close(context, client->id);
        free(client);
    }
    return 0;
}

static int direct(struct skynet_context *context, void *ud, int type, int session,
                  uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)sz;
    if (type == PTYPE_CLIENT) {
        char command[64];
        snprintf(command, sizeof command, "socket_echo client %d", *(const int *)msg);
        for (int i = 0; i < CLIENTS; i++)
            CHECK(skynet_command(context, "LAUNCH", command) != NULL);
    } else if (type == PTYPE_TEXT) {
        say("%d sockets closed, %d bytes echoed", (int)ends, (int)bytes);
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int socket_echo_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    if (strncmp(parm, "server", 6) == 0) {
        skynet_callback(context, NULL, serve);
        CHECK(skynet_socket_listen(context, "127.0.0.1", 0, 128) > 0);
    } else if (strncmp(parm, "client", 6) == 0) {
        struct client *client = calloc(1, sizeof *client);
        skynet_callback(context, client, ask);
        client->id = skynet_socket_connect(context, "127.0.0.1", atoi(parm + 6));
        CHECK(client->id > 0);
    } else {
        director = skynet_queryname(context, skynet_command(context, "REG", NULL));
        skynet_callback(context, NULL, direct);
        CHECK(skynet_command(context, "LAUNCH", "socket_echo server") != NULL);
    }
    return 0;
}
