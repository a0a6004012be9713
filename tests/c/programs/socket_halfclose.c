// Connections that end in one direction, in both, or with a reset: each socket
// reports at most one close, what was written before the close still arrives, and
// what is written after the peer's close arrives if the peer still reads.
// ctest:
#include "sockets.h"

enum { BIG = 12 << 20 };

static struct node node;
static int listener, port;
static char *filling;

static int started(int *peer, const char *name) {
    *peer = peer_connect("127.0.0.1", port);
    struct event event = await(&node, listener);
    CHECK(event.type == SOCKET_ACCEPT);
    socket_server_start(node.server, 0xaf, named(event.ud, name));
    CHECK(await(&node, event.ud).type == SOCKET_OPEN);
    return event.ud;
}

// Reads `size` bytes that were sent by send_big, then the end.
static void expect_big(int peer, size_t size) {
    char *got = malloc(size);
    size_t count;
    CHECK(peer_read(&node, peer, got, size, &count) == 1);
    CHECK(memcmp(got, filling, size) == 0);
    free(got);
    peer_say_end(&node, "after all bytes the peer", peer);
}

// Queues more than the system takes while the peer does not read.
static void send_big(int id) {
    CHECK(send_memory(node.server, id, filling, BIG) == 0);
    settle(&node);
}

static void show_warnings(int id) {
    settle(&node);
    for (struct event event = kept(&node, id); event.type != NO_EVENT; event = kept(&node, id))
        if (event.type != SOCKET_WARNING)
            show_event(event);
}

static void peer_half_closes(void) {
    int peer, id = started(&peer, "half closed by the peer");
    peer_send(peer, "last words", 10);
    shutdown(peer, SHUT_WR);
    show(&node, id);
    show(&node, id);
    show_info(node.server, id);
    say("send: %d", send_text(node.server, id, "still there"));
    peer_expect(&node, peer, "still there");
    say("low: %d", send_low(node.server, id, "still here", 10));
    peer_expect(&node, peer, "still here");
    socket_server_start(node.server, 0xaf, id);
    show(&node, id);
    send_big(id);
    socket_server_close(node.server, 0xaf, id);
    expect_big(peer, BIG);
    show_warnings(id);
    show_info(node.server, id);
    close(peer);

    id = started(&peer, "half closed, then shut down");
    shutdown(peer, SHUT_WR);
    show(&node, id);
    socket_server_shutdown(node.server, 0xaf, id);
    show_rest(&node, id);
    peer_say_end(&node, "the peer", peer);
    close(peer);
}

static void node_closes(void) {
    int peer, id = started(&peer, "closed with bytes to write");
    send_big(id);
    socket_server_close(node.server, 0xaf, id);
    show_warnings(id);
    struct socket_info info = info_of(node.server, id);
    say("type %d, reading %d, writing %d", info.type, info.reading, info.writing);
    say("send while closing: %d", send_text(node.server, id, "too late"));
    say("low: %d", send_low(node.server, id, "too late", 8));
    socket_server_start(node.server, 0xaf, id);
    show(&node, id);
    socket_server_close(node.server, 0xaf, id); // once more
    expect_big(peer, BIG);
    show_warnings(id);
    show_info(node.server, id);
    close(peer);

    id = started(&peer, "closed, then shut down");
    send_big(id);
    socket_server_close(node.server, 0xaf, id);
    show_warnings(id);
    socket_server_shutdown(node.server, 0xaf, id);
    show_warnings(id);
    show_info(node.server, id);
    char *got = malloc(BIG);
    size_t count;
    CHECK(peer_read(&node, peer, got, BIG, &count) < 1 && count < BIG);
    say("the peer sees a part of the bytes and an end");
    free(got);
    close(peer);

    id = started(&peer, "closed, and the peer reads no more");
    send_big(id);
    socket_server_close(node.server, 0xaf, id);
    show_warnings(id);
    peer_reset(peer);
    while (info_of(node.server, id).type != SOCKET_INFO_UNKNOWN)
        settle(&node);
    show_warnings(id);
}

static void resets(void) {
    int peer, id = started(&peer, "reset");
    peer_reset(peer);
    bool closed = false;
    while (!closed) {
        struct event event = await(&node, id);
        closed = event.type == SOCKET_CLOSE;
        show_event(event);
    }
    socket_server_close(node.server, 0xaf, id);
    show_rest(&node, id);
    show_info(node.server, id);

    id = started(&peer, "reset while it writes");
    send_big(id);
    peer_reset(peer);
    int errors = 0;
    for (;;) {
        struct event event = await(&node, id);
        errors += event.type == SOCKET_ERR;
        if (event.type == SOCKET_CLOSE)
            break;
    }
    // The peer's reset is met by a write, by a read, or by both.
    say("errors before the close: %s", errors >= 1 && errors <= 2 ? "one or two" : "wrong");
    socket_server_close(node.server, 0xaf, id);
    show_warnings(id);
    show_info(node.server, id);

    id = started(&peer, "writes to a peer that has gone");
    close(peer);
    show(&node, id);
    for (int i = 0; i < 50 && info_of(node.server, id).type != SOCKET_INFO_UNKNOWN; i++) {
        send_text(node.server, id, "is anybody there?");
        settle(&node);
    }
    errors = 0;
    settle(&node);
    for (struct event event = kept(&node, id); event.type != NO_EVENT; event = kept(&node, id)) {
        CHECK(event.type == SOCKET_ERR);
        errors++;
    }
    say("errors after the close: %s", errors <= 1 ? "one at most" : "too many");
    show_info(node.server, id);
    say("send: %d", send_text(node.server, id, "no"));
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    signal(SIGPIPE, SIG_IGN);
    filling = malloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        filling[i] = (char)(i * 7 + i / 255);
    node_open(&node);
    listener = named(node_listen(&node, 0xae, "127.0.0.1", &port), "listener");
    peer_half_closes();
    node_closes();
    resets();
    node_close(&node);
    free(filling);
    return 0;
}
