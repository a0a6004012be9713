// Reads adapt: the first asks for 64 bytes, one that was full doubles the next, one
// that filled less than half of it halves the next.
// ctest:
#include "sockets.h"

static struct node node;
static int id, peer;

static void sizes(const char *what, int size) {
    static char data[100000];
    char line[400] = "";
    peer_send(peer, data, (size_t)size);
    if (size > 0)
        await_arrival(peer, size);
    socket_server_start(node.server, 1, id);
    CHECK(await(&node, id).type == SOCKET_OPEN);
    while (size > 0) {
        struct event event = await(&node, id);
        CHECK(event.type == SOCKET_DATA);
        snprintf(line + strlen(line), sizeof line - strlen(line), " %d", event.ud);
        size -= event.ud;
        free(event.data);
    }
    CHECK(size == 0);
    say("%s:%s", what, line);
    socket_server_pause(node.server, 1, id);
    settle(&node);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    node_open(&node);
    int port, listener = node_listen(&node, 1, "127.0.0.1", &port);
    peer = peer_connect("127.0.0.1", port);
    id = await(&node, listener).ud;
    sizes("64 bytes", 64);
    sizes("10 bytes", 10);
    sizes("63 bytes", 63);
    sizes("1000 bytes", 1000);
    sizes("512 bytes", 512);
    sizes("256 bytes", 256);
    sizes("300 bytes", 300);
    for (int i = 0; i < 6; i++)
        sizes("1 byte", 1);
    sizes("500 bytes", 500);
    sizes("40000 bytes", 40000);
    for (int i = 0; i < 4; i++)
        sizes("1 byte", 1);
    sizes("40000 bytes", 40000);
    close(peer);
    socket_server_start(node.server, 1, id);
    CHECK(await(&node, id).type == SOCKET_OPEN);
    CHECK(await(&node, id).type == SOCKET_CLOSE);
    node_close(&node);
    return 0;
}
