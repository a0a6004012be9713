// Warnings about what waits to be written: at 1 MiB, at every doubling, and when
// all is written; after that, anew.
// ctest:
#include "sockets.h"

enum { PIECE = 50 << 10 };

static struct node node;
static char piece[PIECE];

static void drain(int peer, size_t size) {
    static char buffer[1 << 20];
    size_t count;
    while (size > 0) {
        CHECK(peer_read(&node, peer, buffer, size < sizeof buffer ? size : sizeof buffer, &count) == 1);
        size -= count;
    }
}

// The next warning: at least `least` KiB wait, and less than a piece more.
static void expect_warning(int id, int least) {
    struct event event = await(&node, id);
    CHECK(event.type == SOCKET_WARNING && event.opaque == 9 && event.data == NULL);
    say("%d KiB: %s", least,
        event.ud >= least && event.ud < least + PIECE / 1024 + 1 ? "a warning" : "another number");
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    signal(SIGPIPE, SIG_IGN);
    node_open(&node);
    int port, listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);
    int id = named(socket_server_connect(node.server, 9, "127.0.0.1", port), "socket");
    show(&node, id);
    int peer = peer_accept(listener);
    for (int round = 0; round < 2; round++) {
        int sent = 0;
        for (int least = 1024; least <= 4096; least *= 2) {
            while (info_of(node.server, id).wbuffer < (int64_t)least << 10) {
                CHECK((sent % 2 ? send_low : send_memory)(node.server, id, piece, PIECE) == 0);
                sent++;
                settle(&node);
            }
            expect_warning(id, least);
        }
        struct socket_info info = info_of(node.server, id);
        say("writing %d", info.writing);
        drain(peer, (size_t)PIECE * (size_t)sent);
        show(&node, id);
        info = info_of(node.server, id);
        say("waits %ld, writing %d, all is written: %d", (long)info.wbuffer, info.writing,
            info.write == (uint64_t)PIECE * (uint64_t)sent * (unsigned)(round + 1) || round > 0);
    }
    // What is written at once gives no warning.
    CHECK(send_memory(node.server, id, piece, PIECE) == 0);
    drain(peer, PIECE);
    show_rest(&node, id);
    socket_server_close(node.server, 9, id);
    show(&node, id);
    close(peer);
    close(listener);
    node_close(&node);
    return 0;
}
