// Who frees what is sent: blocks, objects of the user's interface and raw pointers,
// on every way that a send can go. Objects are counted; blocks are counted by the
// core, where it counts them.
// ctest: deadline=120
#include "sockets.h"

enum { ROUNDS = 100, WAYS = 3, SMALL = 100, BIG = 8 << 20 };

static struct node node;
static int listener, port, sent, refused;
static struct socket_udp_address *elsewhere;

// One send, as block, object or raw pointer, high or low.
static void send_as(int way, int id, size_t size, bool low) {
    static char raw[BIG];
    struct socket_sendbuffer buffer = {.id = id, .sz = size};
    if (way == SOCKET_BUFFER_MEMORY) {
        buffer.buffer = memset(skynet_malloc(size), 'm', size);
    } else if (way == SOCKET_BUFFER_OBJECT) {
        buffer.buffer = object_new(size, 'o');
        buffer.sz = 0; // the object knows
    } else {
        memset(raw, 'r', size);
        buffer.buffer = raw;
    }
    buffer.type = way;
    int result = low ? socket_server_send_lowpriority(node.server, &buffer)
                     : socket_server_send(node.server, &buffer);
    if (way == SOCKET_BUFFER_RAWPOINTER)
        memset(raw, '!', size); // it is the sender's again
    CHECK(result == 0 || result == -1);
    sent += result == 0;
    refused += result != 0;
}

static void send_all(int id, size_t size) {
    for (int way = 0; way < WAYS; way++) {
        send_as(way, id, size, false);
        send_as(way, id, size, true);
    }
}

static void drop_events(void) {
    settle(&node);
    for (int i = 0; i < node.count; i++)
        free(node.events[i].data);
    node.count = 0;
}

static int accepted(int *peer) {
    *peer = peer_connect("127.0.0.1", port);
    struct event event = await(&node, listener);
    CHECK(event.type == SOCKET_ACCEPT);
    return event.ud;
}

static int started(int *peer) {
    int id = accepted(peer);
    socket_server_start(node.server, 1, id);
    CHECK(await(&node, id).type == SOCKET_OPEN);
    return id;
}

static void written(void) {
    static char buffer[WAYS * 2 * SMALL];
    size_t count, by_way[256] = {0};
    int peer, id = started(&peer);
    send_all(id, SMALL);
    CHECK(peer_read(&node, peer, buffer, sizeof buffer, &count) == 1);
    for (size_t i = 0; i < count; i++)
        by_way[(unsigned char)buffer[i]]++;
    CHECK(by_way['m'] == 2 * SMALL && by_way['o'] == 2 * SMALL && by_way['r'] == 2 * SMALL);
    socket_server_close(node.server, 1, id);
    close(peer);
}

// The first is written in part, in each way; the others wait.
static void shut_down_half_sent(void) {
    for (int way = 0; way < WAYS; way++) {
        int peer, id = started(&peer);
        send_as(way, id, BIG, false);
        send_all(id, SMALL);
        settle(&node);
        send_all(id, SMALL);
        socket_server_shutdown(node.server, 1, id);
        settle(&node);
        close(peer);
    }
}

// Half sent by the sender itself, and the server was not polled since.
static void shut_down_unpolled(void) {
    for (int way = 0; way < WAYS; way++) {
        int peer, id = started(&peer);
        socket_server_shutdown(node.server, 1, id);
        send_as(way, id, BIG, false);
        send_all(id, SMALL);
        settle(&node);
        close(peer);
    }
}

static void reset_half_sent(void) {
    for (int way = 0; way < WAYS; way++) {
        int peer, id = started(&peer);
        send_as(way, id, BIG, false);
        send_all(id, SMALL);
        settle(&node);
        peer_reset(peer);
        while (await(&node, id).type != SOCKET_CLOSE)
            ;
        send_all(id, SMALL);
        socket_server_close(node.server, 1, id);
    }
}

static void before_start(void) {
    int peer, id = accepted(&peer);
    send_all(id, SMALL);
    settle(&node);
    socket_server_close(node.server, 1, id);
    close(peer);
}

static void to_a_listener(void) {
    send_all(listener, SMALL);
    settle(&node);
}

static void to_nobody(void) {
    send_all(0x7ffffff0, SMALL);
}

static void while_closing(void) {
    int peer, id = started(&peer);
    send_as(SOCKET_BUFFER_OBJECT, id, BIG, false);
    settle(&node);
    socket_server_close(node.server, 1, id);
    settle(&node);
    send_all(id, SMALL);
    settle(&node);
    peer_reset(peer);
    while (info_of(node.server, id).type != SOCKET_INFO_UNKNOWN)
        settle(&node);
}

static void after_close(void) {
    int peer, id = started(&peer);
    socket_server_close(node.server, 1, id);
    settle(&node);
    send_all(id, SMALL);
    close(peer);
}

// The close is under way already.
static void behind_close(void) {
    int peer, id = accepted(&peer);
    socket_server_close(node.server, 1, id);
    send_all(id, SMALL);
    settle(&node);
    close(peer);
}

static void connection_refused(void) {
    int free_port, taken = peer_bind(SOCK_STREAM, "127.0.0.1", &free_port);
    close(taken);
    int id = socket_server_connect(node.server, 1, "127.0.0.1", free_port);
    CHECK(await(&node, id).type == SOCKET_ERR);
    send_all(id, SMALL);
}

static void datagrams(void) {
    // Without an address, to the wrong kind of address, and too long ones.
    char long_address[19] = {2}, no_address[19] = {77};
    int id = socket_server_udp(node.server, 1, NULL, 0);
    settle(&node);
    send_all(id, SMALL);
    settle(&node);
    const char *addresses[] = {long_address, no_address, (char *)elsewhere};
    for (int i = 0; i < 3; i++) {
        for (int way = 0; way < WAYS; way++) {
            static char raw[70000];
            size_t size = i == 2 ? sizeof raw : SMALL;
            struct socket_sendbuffer buffer = {.id = id, .type = way, .buffer = raw, .sz = size};
            if (way == SOCKET_BUFFER_MEMORY)
                buffer.buffer = memset(skynet_malloc(size), 'm', size);
            if (way == SOCKET_BUFFER_OBJECT)
                buffer.buffer = object_new(size, 'o');
            int result = socket_server_udp_send(
                node.server, (const struct socket_udp_address *)addresses[i], &buffer);
            sent += result == 0;
            refused += result != 0;
            settle(&node);
        }
    }
    socket_server_close(node.server, 1, id);
    settle(&node);
}

enum result { TAKEN, REFUSED, EITHER };

// EITHER: some are taken, some are not, or it depends on what the server did already.
static void measure(const char *what, void (*test)(void), int rounds, enum result result) {
    test(); // what is kept for later is there now
    drop_events();
    pump(); // the log
    size_t before = malloc_memory_block();
    objects_made = objects_freed = sent = refused = 0;
    for (int i = 0; i < rounds; i++) {
        test();
        drop_events();
    }
    pump();
    say("%s: %d sends%s, %d objects, %d freed", what, (sent + refused) / rounds,
        result == EITHER      ? ""
        : result == REFUSED   ? (sent ? ", some taken" : ", all refused")
        : refused             ? ", some refused"
                              : ", all taken",
        objects_made / rounds, objects_freed / rounds);
    say_leaks(what, before, rounds);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    launch_logger("silent");
    signal(SIGPIPE, SIG_IGN);
    node_open(&node);
    socket_server_userobject(node.server, &counted_objects);
    listener = node_listen(&node, 1, "127.0.0.1", &port);
    char address[19] = {0, 0, 9, 127, 0, 0, 1}; // IPv4, port 9
    elsewhere = (struct socket_udp_address *)address;
    for (int i = 0; i < ROUNDS; i++) { // a node may put off giving some blocks back
        written();
        drop_events();
    }
    measure("written", written, ROUNDS, TAKEN);
    measure("shut down, half sent", shut_down_half_sent, 25, EITHER);
    measure("shut down, not polled", shut_down_unpolled, 25, EITHER);
    measure("reset, half sent", reset_half_sent, 25, EITHER);
    measure("before the start", before_start, ROUNDS, TAKEN);
    measure("to a listener", to_a_listener, ROUNDS, TAKEN);
    measure("to nobody", to_nobody, ROUNDS, REFUSED);
    measure("while closing", while_closing, 25, EITHER);
    measure("after the close", after_close, ROUNDS, REFUSED);
    measure("behind the close", behind_close, ROUNDS, EITHER);
    measure("connection refused", connection_refused, ROUNDS, REFUSED);
    measure("datagrams", datagrams, ROUNDS, EITHER);

    // What is queued is freed with the server.
    int peer, id = started(&peer);
    objects_made = objects_freed = 0;
    for (int i = 0; i < 5; i++)
        send_as(SOCKET_BUFFER_OBJECT, id, BIG, i % 2);
    settle(&node);
    drop_events();
    node_close(&node);
    say("released: %d objects, %d freed", objects_made, objects_freed);
    close(peer);
    return 0;
}
