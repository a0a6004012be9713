// A connection that was accepted, in each state: before its start, started, paused,
// transferred to another owner, closed. Sends to each of them, and to sockets that
// are none.
// ctest:
#include "sockets.h"

static struct node node;
static int listener, port;

static int accepted(int *peer, const char *name) {
    *peer = peer_connect("127.0.0.1", port);
    struct event event = await(&node, listener);
    CHECK(event.type == SOCKET_ACCEPT);
    char from[64];
    snprintf(from, sizeof from, "127.0.0.1:%d", own_port(*peer));
    CHECK(strcmp(event.text, from) == 0);
    return named(event.ud, name);
}

static int option(int peer, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    CHECK(getsockopt(node_fd(peer), level, name, &value, &size) == 0);
    return value != 0;
}

static void states(void) {
    int peer, id = accepted(&peer, "client");
    show_info(node.server, id); // not listed before its start
    peer_send(peer, "early", 5);
    await_arrival(peer, 5);
    show_rest(&node, id);
    say("send before the start: %d", send_text(node.server, id, "lost"));
    say("low: %d", send_low(node.server, id, "lost", 4));
    settle(&node);
    socket_server_start(node.server, 0x51, id);
    show(&node, id);
    show(&node, id);
    say("send: %d", send_text(node.server, id, "hello"));
    peer_expect(&node, peer, "hello");
    say("low: %d", send_low(node.server, id, "world", 5));
    peer_expect(&node, peer, "world");
    say("nothing: %d", send_text(node.server, id, ""));
    say("nothing, low: %d", send_low(node.server, id, "", 0));
    show_info(node.server, id);

    say("keepalive %d, nodelay %d, nonblocking %d", option(peer, SOL_SOCKET, SO_KEEPALIVE),
        option(peer, IPPROTO_TCP, TCP_NODELAY),
        (fcntl(node_fd(peer), F_GETFL) & O_NONBLOCK) != 0);
    socket_server_nodelay(node.server, id);
    settle(&node);
    say("nodelay %d", option(peer, IPPROTO_TCP, TCP_NODELAY));

    socket_server_pause(node.server, 0x51, id);
    settle(&node);
    peer_send(peer, "while paused", 12);
    await_arrival(peer, 12);
    show_rest(&node, id);
    show_info(node.server, id);
    say("send while paused: %d", send_text(node.server, id, "one way"));
    peer_expect(&node, peer, "one way");
    socket_server_start(node.server, 0x51, id);
    show(&node, id);
    show(&node, id);

    socket_server_start(node.server, 0x52, id);
    show(&node, id);
    peer_send(peer, "for the next", 12);
    show(&node, id);
    socket_server_close(node.server, 0x53, id);
    show(&node, id);
    say("send after the close: %d", send_text(node.server, id, "too late"));
    say("low: %d", send_low(node.server, id, "too late", 8));
    socket_server_start(node.server, 0x52, id);
    show(&node, id);
    socket_server_pause(node.server, 0x52, id);
    socket_server_close(node.server, 0x52, id);
    socket_server_shutdown(node.server, 0x52, id);
    socket_server_nodelay(node.server, id);
    show_rest(&node, id);
    peer_say_end(&node, "the peer", peer);
    close(peer);
}

static void closed_before_start(void) {
    int peer, id = accepted(&peer, "unwanted");
    socket_server_close(node.server, 0x61, id);
    show(&node, id);
    peer_say_end(&node, "the peer", peer);
    close(peer);

    // The other side has gone by the time of the start.
    id = accepted(&peer, "hasty");
    peer_send(peer, "bye", 3);
    close(peer);
    settle(&node);
    show_rest(&node, id);
    socket_server_start(node.server, 0x62, id);
    show(&node, id);
    show(&node, id);
    show(&node, id);
    show_info(node.server, id);
    socket_server_start(node.server, 0x62, id);
    show(&node, id);
    socket_server_close(node.server, 0x62, id);
    show_rest(&node, id);
    show_info(node.server, id);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    struct skynet_context *logger = launch_logger("all");
    node_open(&node);
    listener = named(node_listen(&node, 0x50, "127.0.0.1", &port), "listener");
    states();
    closed_before_start();
    say("send to a listener: %d", send_text(node.server, listener, "hello"));
    say("low: %d", send_low(node.server, listener, "hello", 5));
    say("send to nobody: %d", send_text(node.server, 0x7ffffff0, "hello"));
    say("low: %d", send_low(node.server, 0x7ffffff0, "hello", 5));
    socket_server_start(node.server, 0x70, 0x7ffffff0);
    show(&node, 0x7ffffff0);
    socket_server_pause(node.server, 0x70, 0x7ffffff0);
    socket_server_close(node.server, 0x70, 0x7ffffff0);
    socket_server_shutdown(node.server, 0x70, 0x7ffffff0);
    socket_server_nodelay(node.server, 0x7ffffff0);
    show_rest(&node, 0x7ffffff0);
    show_rest(&node, listener);
    node_close(&node);
    pump();
    retire(logger);
    return 0;
}
