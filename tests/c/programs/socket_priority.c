// The order of what is written: high before low, but a buffer that was begun is
// finished first, also a low one.
// ctest:
#include "sockets.h"

enum { BIG = 12 << 20 };

static struct node node;
static char seen[64];

// A buffer of one repeated character.
static void queue(int id, char character, size_t size, bool low) {
    char *data = malloc(size);
    memset(data, character, size);
    CHECK((low ? send_low : send_memory)(node.server, id, data, size) == 0);
    free(data);
}

// Reads until `size` bytes of `character` are there, or the end; notes changes.
static void read_up_to(int peer, char character, size_t size) {
    static char buffer[65536];
    size_t count, total = 0;
    for (;;) {
        int state = peer_read(&node, peer, buffer, sizeof buffer, &count);
        for (size_t i = 0; i < count; i++) {
            size_t length = strlen(seen);
            if (length == 0 || seen[length - 1] != buffer[i]) {
                CHECK(length < sizeof seen - 1);
                seen[length] = buffer[i];
            }
            total += buffer[i] == character;
        }
        if (state <= 0 || (character != 0 && total >= size))
            return;
    }
}

static int connected(int listener, int port, int *peer) {
    int id = socket_server_connect(node.server, 1, "127.0.0.1", port);
    CHECK(await(&node, id).type == SOCKET_OPEN);
    *peer = peer_accept(listener);
    return id;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    node_open(&node);
    int peer, port, listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);

    // The first fills what the system takes; all others wait behind it. (The reference
    // takes one that comes next for a high one, whatever it is.)
    int id = connected(listener, port, &peer);
    queue(id, 'A', BIG, false);
    queue(id, 'B', 10, false);
    queue(id, 'l', 10, true);
    queue(id, 'h', 10, false);
    queue(id, 'm', 10, true);
    queue(id, 'i', 10, false);
    settle(&node);
    socket_server_close(node.server, 1, id);
    read_up_to(peer, 0, 0);
    say("high before low: %s", seen);
    close(peer);

    // A low one that was begun goes before high ones that came later.
    memset(seen, 0, sizeof seen);
    id = connected(listener, port, &peer);
    queue(id, 'A', 100, false);
    queue(id, 'B', BIG, false);
    queue(id, 'L', BIG, true);
    queue(id, 'l', 10, true);
    settle(&node);
    read_up_to(peer, 'L', 1);
    settle(&node);
    queue(id, 'h', 10, false);
    queue(id, 'm', 10, true);
    queue(id, 'i', 10, false);
    settle(&node);
    socket_server_close(node.server, 1, id);
    read_up_to(peer, 0, 0);
    say("begun before others: %s", seen);
    close(peer);

    // A low one on an idle socket is written at once, as a high one.
    memset(seen, 0, sizeof seen);
    id = connected(listener, port, &peer);
    queue(id, 'L', BIG, true);
    settle(&node);
    queue(id, 'l', 10, true);
    queue(id, 'h', 10, false);
    settle(&node);
    socket_server_close(node.server, 1, id);
    read_up_to(peer, 0, 0);
    say("low on an idle socket: %s", seen);
    close(peer);
    close(listener);
    node_drop(&node);
    return 0;
}
