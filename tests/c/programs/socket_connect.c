// Connecting: by address and by name, refused, to names that do not exist; a close
// while the connection is under way.
// ctest: needs=ipv6
#include "sockets.h"

static struct node node;

static void connects(const char *name, const char *bound, const char *host) {
    int port, listener = peer_bind(SOCK_STREAM, bound, &port);
    int id = named(socket_server_connect(node.server, 0xc1, host, port), name);
    show(&node, id);
    int peer = peer_accept(listener);
    show_info(node.server, id);
    peer_send(peer, "welcome", 7);
    show(&node, id);
    CHECK(send_text(node.server, id, "thanks") == 0);
    peer_expect(&node, peer, "thanks");
    socket_server_start(node.server, 0xc2, id); // it is started already
    show(&node, id);
    socket_server_close(node.server, 0xc2, id);
    show(&node, id);
    peer_say_end(&node, "the peer", peer);
    close(peer);
    close(listener);
}

static void refused(const char *host) {
    int port, taken = peer_bind(SOCK_STREAM, host, &port);
    close(taken);
    int id = named(socket_server_connect(node.server, 0xc3, host, port), "refused");
    show(&node, id);
    show_info(node.server, id);
    say("send: %d", send_text(node.server, id, "in vain"));
    socket_server_close(node.server, 0xc3, id);
    show_rest(&node, id);
}

static void closed_at_once(void) {
    int port, listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);
    int id = named(socket_server_connect(node.server, 0xc5, "127.0.0.1", port), "closes at once");
    socket_server_close(node.server, 0xc5, id);
    show(&node, id);
    show_rest(&node, id);
    close(listener);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    struct skynet_context *logger = launch_logger("all");
    signal(SIGPIPE, SIG_IGN); // as skynet_start does
    node_open(&node);
    connects("to an address", "127.0.0.1", "127.0.0.1");
    connects("to an IPv6 address", "::1", "::1");
    connects("to a name", "127.0.0.1", "localhost");
    refused("127.0.0.1");
    refused("::1");
    closed_at_once();

    int id = named(socket_server_connect(node.server, 0xc6, "no host.invalid", 80), "no host");
    struct event event = await(&node, id);
    CHECK(event.type == SOCKET_ERR && event.opaque == 0xc6 && event.text[0] != 0);
    say("no host: an error");
    show_info(node.server, id);

    char name[301];
    memset(name, 'x', 300);
    name[300] = 0;
    say("too long a name: %d", socket_server_connect(node.server, 0xc7, name, 80));
    pump();
    node_close(&node);
    retire(logger);
    return 0;
}
