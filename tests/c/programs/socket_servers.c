// Several servers in one process: they talk to each other, number their sockets each
// for itself, and leave nothing behind.
// ctest:
#include "sockets.h"

enum { SERVERS = 4, CLIENTS = 8, ROUNDS = 10 };

static void lifetime(bool tell) {
    static struct node nodes[SERVERS];
    int ports[SERVERS], listeners[SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        node_open(&nodes[i]);
        listeners[i] = node_listen(&nodes[i], (uintptr_t)i, "127.0.0.1", &ports[i]);
        CHECK(listeners[i] == listeners[0]);
    }
    for (int i = 0; i < SERVERS; i++) {
        struct node *from = &nodes[i], *to = &nodes[(i + 1) % SERVERS];
        for (int j = 0; j < CLIENTS; j++) {
            char text[64], got[64];
            int client = socket_server_connect(from->server, 100, "127.0.0.1",
                                               ports[(i + 1) % SERVERS]);
            CHECK(await(from, client).type == SOCKET_OPEN);
            int server = await(to, listeners[0]).ud;
            socket_server_start(to->server, 200, server);
            CHECK(await(to, server).type == SOCKET_OPEN);
            snprintf(text, sizeof text, "from %d to its neighbour, connection %d", i, j);
            CHECK(send_text(from->server, client, text) == 0);
            await_bytes(to, server, got, (int)strlen(text));
            got[strlen(text)] = 0;
            CHECK(strcmp(got, text) == 0);
            if (tell && j == 0)
                say("%s", got);
            if (j % 2) { // the others are left open
                socket_server_close(from->server, 100, client);
                CHECK(await(from, client).type == SOCKET_CLOSE);
                CHECK(await(to, server).type == SOCKET_CLOSE);
            }
        }
    }
    for (int i = 0; i < SERVERS; i++)
        node_drop(&nodes[i]);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    lifetime(true);
    int descriptors = open_descriptors();
    size_t blocks = malloc_memory_block();
    for (int i = 0; i < ROUNDS; i++)
        lifetime(false);
    say("descriptors: %d more", open_descriptors() - descriptors);
    say_leaks("servers", blocks, ROUNDS * 50);
    return 0;
}
