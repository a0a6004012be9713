// Listening: addresses, free ports, what fails at once, start and close.
// ctest: needs=ipv6
#include "sockets.h"

static struct node node;

static void listens(const char *name, const char *address, const char *host) {
    int id = named(socket_server_listen(node.server, 0xa, address, 0, 32), name);
    int port = show(&node, id).ud;
    CHECK(port > 1024);
    show_info(node.server, id);
    socket_server_start(node.server, 0xb, id); // another owner
    show(&node, id);
    show_info(node.server, id);
    int peer = peer_connect(host, port);
    struct event event = show(&node, id);
    show_info(node.server, id);
    socket_server_start(node.server, 0xc, id); // twice: no more is said, the owner stays
    show_rest(&node, id);
    show_info(node.server, id);
    socket_server_close(node.server, 0xd, id);
    show(&node, id);
    show_info(node.server, id);
    socket_server_close(node.server, 0xb, id); // not there any more
    socket_server_start(node.server, 0xb, id);
    show(&node, id);
    // What was accepted lives on.
    socket_server_start(node.server, 0xe, named(event.ud, "accepted"));
    show(&node, event.ud);
    socket_server_close(node.server, 0xe, event.ud);
    show(&node, event.ud);
    peer_say_end(&node, "the peer", peer);
    close(peer);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    node_open(&node);
    listens("no address", NULL, "127.0.0.1");
    listens("empty address", "", "127.0.0.1");
    listens("loopback", "127.0.0.1", "127.0.0.1");
    listens("IPv6 loopback", "::1", "::1");
    listens("every IPv6 address", "::", "::1");

    int port;
    int id = node_listen(&node, 1, "127.0.0.1", &port);
    say("port in use: %d", socket_server_listen(node.server, 1, "127.0.0.1", port, 32));
    say("not an address of this machine: %d",
        socket_server_listen(node.server, 1, "192.0.2.1", 0, 32));
    // A name that does not exist is an error at once, or when it has been looked up.
    int unknown = socket_server_listen(node.server, 1, "no address.invalid", 0, 32);
    CHECK(unknown == -1 || await(&node, unknown).type == SOCKET_ERR);

    // Not started: the system accepts, the node does not, until it is.
    int quiet = named(socket_server_listen(node.server, 1, "127.0.0.1", 0, 32), "not started");
    int quiet_port = await(&node, quiet).ud;
    int peer = peer_connect("127.0.0.1", quiet_port);
    show_rest(&node, quiet);
    socket_server_start(node.server, 1, quiet);
    show(&node, quiet);
    named(show(&node, quiet).ud, "late");

    // Paused: the same.
    socket_server_pause(node.server, 1, quiet);
    settle(&node);
    show_info(node.server, quiet);
    int other = peer_connect("127.0.0.1", quiet_port);
    show_rest(&node, quiet);
    socket_server_start(node.server, 1, quiet);
    show(&node, quiet);
    show_info(node.server, quiet);
    close(peer);
    close(other);
    socket_server_shutdown(node.server, 1, id);
    show(&node, id);
    node_close(&node);
    return 0;
}
