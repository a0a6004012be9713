// Sends to a connection that was asked for and is not there yet: they are written
// when it is, or freed when it is refused. (The reference counts such a send only
// when it takes it from the queue, and ends the process.)
// ctest: only=ours
#include "sockets.h"

enum { PIECE = 100 << 10, PIECES = 45 };

static struct node node;
static char pieces[PIECE * PIECES], got[sizeof pieces];

static void sent_at_once(void) {
    int port, listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);
    int id = named(socket_server_connect(node.server, 0xe1, "127.0.0.1", port), "sends at once");
    CHECK(send_text(node.server, id, "first ") == 0);
    CHECK(send_low(node.server, id, "last", 4) == 0);
    CHECK(send_text(node.server, id, "second ") == 0);
    show(&node, id);
    int peer = peer_accept(listener);
    peer_expect(&node, peer, "first second last");
    socket_server_shutdown(node.server, 0xe1, id);
    show(&node, id);
    peer_say_end(&node, "the peer", peer);
    close(peer);

    // What waits is counted, and warned about: at 1 MiB and at every doubling.
    for (size_t i = 0; i < sizeof pieces; i++)
        pieces[i] = (char)(i % 251);
    id = named(socket_server_connect(node.server, 0xe2, "127.0.0.1", port), "sends much");
    for (int i = 0; i < PIECES; i++)
        CHECK(send_memory(node.server, id, pieces + i * PIECE, PIECE) == 0);
    struct event event;
    do
        event = await(&node, id);
    while (event.type == SOCKET_WARNING && event.ud >= 1024);
    show_event(event);
    peer = peer_accept(listener);
    size_t count;
    CHECK(peer_read(&node, peer, got, sizeof got, &count) == 1);
    CHECK(memcmp(got, pieces, sizeof got) == 0);
    for (event = await(&node, id); event.ud >= 1024; event = await(&node, id))
        ;
    show_event(event);
    socket_server_close(node.server, 0xe2, id);
    show(&node, id);
    close(peer);
    close(listener);
}

static void refused(void) {
    int port, taken = peer_bind(SOCK_STREAM, "127.0.0.1", &port);
    close(taken);
    objects_made = objects_freed = 0;
    for (int i = 0; i < 20; i++) {
        int id = socket_server_connect(node.server, 0xe3, "127.0.0.1", port);
        struct socket_sendbuffer buffer = {
            .id = id, .type = SOCKET_BUFFER_OBJECT, .buffer = object_new(100, 'o')};
        CHECK(socket_server_send(node.server, &buffer) == 0);
        buffer.buffer = object_new(100, 'o');
        CHECK(socket_server_send_lowpriority(node.server, &buffer) == 0);
        CHECK(send_text(node.server, id, "in vain") == 0);
        CHECK(await(&node, id).type == SOCKET_ERR);
        buffer.buffer = object_new(100, 'o');
        CHECK(socket_server_send(node.server, &buffer) == -1);
    }
    settle(&node);
    say("refused: %d objects, %d freed", objects_made, objects_freed);
}

static void closed(void) {
    int port, listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);
    objects_made = objects_freed = 0;
    int id = named(socket_server_connect(node.server, 0xe4, "127.0.0.1", port), "shut down");
    struct socket_sendbuffer buffer = {
        .id = id, .type = SOCKET_BUFFER_OBJECT, .buffer = object_new(100, 'o')};
    CHECK(socket_server_send(node.server, &buffer) == 0);
    socket_server_shutdown(node.server, 0xe4, id);
    show(&node, id);
    show_rest(&node, id);
    say("shut down: %d objects, %d freed", objects_made, objects_freed);
    close(listener);
}

// A connection that is closed before it is there brings what was sent all the same.
// Its way is long: the listener's queue is full.
static void closed_on_its_way(void) {
    int port, listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);
    CHECK(listen(listener, 0) == 0);
    int first = peer_connect("127.0.0.1", port);
    int id = named(socket_server_connect(node.server, 0xe6, "127.0.0.1", port), "on its way");
    settle(&node);
    CHECK(send_text(node.server, id, "here I am") == 0);
    socket_server_close(node.server, 0xe6, id);
    show(&node, id);
    close(peer_accept(listener));
    int peer = peer_accept(listener);
    peer_expect(&node, peer, "here I am");
    peer_say_end(&node, "the peer", peer);
    show_rest(&node, id);
    show_info(node.server, id);
    close(first);
    close(peer);
    close(listener);
}

// What is sent behind a close does not keep the socket open.
static void behind_a_close(void) {
    int port, listener = node_listen(&node, 0xe5, "127.0.0.1", &port);
    for (int low = 0; low < 2; low++) {
        int peer = peer_connect("127.0.0.1", port);
        int id = named(await(&node, listener).ud, "sends behind its close");
        socket_server_start(node.server, 0xe5, id);
        CHECK(await(&node, id).type == SOCKET_OPEN);
        socket_server_pause(node.server, 0xe5, id);
        settle(&node);
        CHECK(send_low(node.server, id, "before", 6) == 0);
        socket_server_close(node.server, 0xe5, id);
        (low ? send_low : send_memory)(node.server, id, " behind", 7);
        show(&node, id);
        peer_expect(&node, peer, "before");
        // It may be written or not, but then the connection ends.
        char rest[16];
        size_t got;
        say("the end: %d", peer_read(&node, peer, rest, sizeof rest, &got));
        show_rest(&node, id);
        show_info(node.server, id);
        close(peer);
    }
    socket_server_close(node.server, 0xe5, listener);
    CHECK(await(&node, listener).type == SOCKET_CLOSE);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    signal(SIGPIPE, SIG_IGN);
    node_open(&node);
    socket_server_userobject(node.server, &counted_objects);
    sent_at_once();
    refused();
    closed();
    closed_on_its_way();
    behind_a_close();
    node_close(&node);
    return 0;
}
