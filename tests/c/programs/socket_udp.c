// Datagrams: sockets of each way of making them, addresses as they are packed, IPv4
// and IPv6, addresses that do not fit.
// ctest: needs=ipv6
#include "sockets.h"

static struct node node;

static void show_address(const void *address, int size) {
    char line[100] = "";
    for (int i = 0; i < size; i++)
        if (i != 1 && i != 2) // the port
            snprintf(line + strlen(line), sizeof line - strlen(line), " %d",
                     ((const unsigned char *)address)[i]);
    say("address of %d bytes:%s", size, line);
}

static int text(struct node *node, int id, const void *address, const char *text, int type) {
    struct socket_sendbuffer buffer = {.id = id, .type = type, .buffer = text, .sz = strlen(text)};
    if (type == SOCKET_BUFFER_MEMORY)
        buffer.buffer = strcpy(skynet_malloc(buffer.sz + 1), text);
    return socket_server_udp_send(node->server, address, &buffer);
}

// What arrives at a plain socket, and from where.
static void receive(int peer, union address *from) {
    char buffer[64];
    socklen_t size = sizeof *from;
    waiting("a datagram");
    for (ssize_t n = -1; n < 0;) {
        n = recvfrom(peer, buffer, sizeof buffer, MSG_DONTWAIT, &from->any, &size);
        if (n >= 0)
            say("received \"%.*s\"", (int)n, buffer);
        else
            settle(&node);
    }
}

static void exchange(const char *name, int id, const char *host, int family_type) {
    union address from, to;
    int port, size, peer = peer_bind(SOCK_DGRAM, host, &port);
    named(id, name);
    settle(&node);
    show_known(node.server, id, false);
    // Without an address: no way to send.
    say("no address yet: %d", send_text(node.server, id, "lost"));
    say("connect: %d", socket_server_udp_connect(node.server, id, host, port));
    say("send: %d", send_text(node.server, id, "connected"));
    receive(peer, &from);
    say("low: %d", send_low(node.server, id, "and low", 7));
    receive(peer, &from);
    socklen_t length = address_of(&to, host, 0);
    to = from;
    CHECK(sendto(peer, "answer", 6, 0, &to.any, length) == 6);
    struct event event = await(&node, id);
    struct socket_message message = {
        .id = event.id, .opaque = event.opaque, .ud = event.ud, .data = event.data};
    const void *address = socket_server_udp_address(node.server, &message, &size);
    CHECK(address == event.data + event.ud);
    show_address(address, size);
    uint16_t packed_port;
    memcpy(&packed_port, (const char *)address + 1, 2);
    CHECK(ntohs(packed_port) == port && *(const char *)address == family_type);
    char saved[19];
    memcpy(saved, address, (size_t)size);
    show_event(event);
    say("send to it: %d", text(&node, id, saved, "to an address", SOCKET_BUFFER_MEMORY));
    receive(peer, &from);
    say("raw: %d", text(&node, id, saved, "from a raw pointer", SOCKET_BUFFER_RAWPOINTER));
    receive(peer, &from);
    struct socket_sendbuffer object = {
        .id = id, .type = SOCKET_BUFFER_OBJECT, .buffer = object_new(6, 'o')};
    say("object: %d", socket_server_udp_send(node.server, (const void *)saved, &object));
    receive(peer, &from);
    CHECK(sendto(peer, "", 0, 0, &to.any, length) == 0);
    show(&node, id); // an empty one has a message, too
    show_info(node.server, id);

    // Addresses of the other kind, and no address at all.
    char other[19] = {family_type == 1 ? 2 : 1, 0, 9, 127, 0, 0, 1}, none[19] = {7};
    say("other kind: %d", text(&node, id, other, "x", SOCKET_BUFFER_MEMORY));
    say("no address: %d", text(&node, id, none, "x", SOCKET_BUFFER_MEMORY));
    show_rest(&node, id);
    say("connect to the other kind: %d",
        socket_server_udp_connect(node.server, id, family_type == 1 ? "::1" : "127.0.0.1", port));
    show(&node, id);
    socket_server_close(node.server, 0xd0, id);
    show(&node, id);
    say("closed: %d", text(&node, id, saved, "x", SOCKET_BUFFER_MEMORY));
    close(peer);
    pump();
}

static int free_port(const char *host) {
    int port, fd = peer_bind(SOCK_DGRAM, host, &port);
    close(fd);
    return port;
}

static void dial(const char *name, const char *host) {
    union address from;
    int port, peer = peer_bind(SOCK_DGRAM, host, &port);
    int id = named(socket_server_udp_dial(node.server, 0xd1, host, port), name);
    say("send at once: %d", send_text(node.server, id, "dialled"));
    receive(peer, &from);
    CHECK(sendto(peer, "reply", 5, 0, &from.any, address_of(&(union address){0}, host, 0)) == 5);
    show(&node, id);
    show_info(node.server, id);
    socket_server_close(node.server, 0xd1, id);
    show(&node, id);
    close(peer);
}

static void listens(const char *name, const char *bound, const char *host) {
    int size, port = free_port(host);
    int server = named(socket_server_udp_listen(node.server, 0xd2, bound, port), name);
    int client = named(socket_server_udp_dial(node.server, 0xd3, host, port), "its client");
    CHECK(server > 0 && client > 0);
    CHECK(send_text(node.server, client, "question") == 0);
    struct event event = await(&node, server);
    struct socket_message message = {.ud = event.ud, .data = event.data};
    const void *address = socket_server_udp_address(node.server, &message, &size);
    CHECK(text(&node, server, address, "answer", SOCKET_BUFFER_MEMORY) == 0);
    show_event(event);
    show(&node, client);
    say("port in use: %d", socket_server_udp_listen(node.server, 0xd2, host, port) > 0);
    socket_server_close(node.server, 0xd2, server);
    show(&node, server);
    socket_server_close(node.server, 0xd3, client);
    show(&node, client);
}

// A name that does not exist is an error at once, or when it has been looked up.
static void nowhere(const char *what, int id) {
    CHECK(id == -1 || await(&node, id).type == SOCKET_ERR);
    say("%s: an error", what);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    struct skynet_context *logger = launch_logger("all");
    node_open(&node);
    socket_server_userobject(node.server, &counted_objects);
    exchange("unbound", socket_server_udp(node.server, 0xd0, NULL, 0), "127.0.0.1", 1);
    exchange("bound", socket_server_udp(node.server, 0xd0, "127.0.0.1", free_port("127.0.0.1")),
             "127.0.0.1", 1);
    exchange("IPv6", socket_server_udp(node.server, 0xd0, "::", 0), "::1", 2);
    exchange("any address", socket_server_udp(node.server, 0xd0, NULL, free_port("127.0.0.1")),
             "127.0.0.1", 1);
    dial("dial", "127.0.0.1");
    dial("dial IPv6", "::1");
    listens("server", "127.0.0.1", "127.0.0.1");
    listens("IPv6 server", "::1", "::1");
    listens("server on any address", NULL, "127.0.0.1");
    pump();
    retire(logger); // more may be logged here than there
    say("listen without a port: %d", socket_server_udp_listen(node.server, 1, "127.0.0.1", 0));
    nowhere("no address", socket_server_udp(node.server, 1, "no address.invalid", 1));
    nowhere("dial", socket_server_udp_dial(node.server, 1, "no host.invalid", 1));
    nowhere("listen", socket_server_udp_listen(node.server, 1, "no address.invalid", 1));
    say("connect nobody: %d", socket_server_udp_connect(node.server, 0x7ffffff0, "127.0.0.1", 1));
    struct socket_message message = {.ud = 1, .data = (char[]){'x', 5, 0}};
    int size = 0;
    say("address of nothing: %d", socket_server_udp_address(node.server, &message, &size) != NULL);
    CHECK(objects_made == objects_freed);
    node_close(&node);
    return 0;
}
