// What socket_server_info tells of sockets of each kind, and the list itself.
// ctest: needs=ipv6
#include "sockets.h"

static struct node node;

static int listed(int *types) {
    int count = 0;
    struct socket_info *list = socket_server_info(node.server);
    for (struct socket_info *info = list; info != NULL; info = info->next, count++)
        types[info->type]++;
    socket_info_release(list);
    return count;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    node_open(&node);
    int port, outside_port, outside = peer_bind(SOCK_STREAM, "127.0.0.1", &outside_port);
    socket_server_updatetime(node.server, 1000);
    show_info(node.server, named(node.tick_id, "bound"));
    int listener = named(node_listen(&node, 0x10, "127.0.0.1", &port), "listener");
    show_info(node.server, listener);
    int peer = peer_connect("127.0.0.1", port);
    int accepted = named(await(&node, listener).ud, "accepted");
    show_info(node.server, listener);
    show_info(node.server, accepted);
    socket_server_updatetime(node.server, 2000);
    socket_server_start(node.server, 0x11, accepted);
    CHECK(await(&node, accepted).type == SOCKET_OPEN);
    show_info(node.server, accepted);
    char expected[64];
    snprintf(expected, sizeof expected, "127.0.0.1:%d", own_port(peer));
    CHECK(strcmp(info_of(node.server, accepted).name, expected) == 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%d", port);
    CHECK(strcmp(info_of(node.server, listener).name, expected) == 0);
    CHECK(send_text(node.server, accepted, "hello") == 0);
    socket_server_updatetime(node.server, 3000);
    peer_send(peer, "how are you", 11);
    char buffer[16];
    await_bytes(&node, accepted, buffer, 11);
    show_info(node.server, accepted);
    socket_server_pause(node.server, 0x11, accepted);
    settle(&node);
    show_info(node.server, accepted);

    int client = named(socket_server_connect(node.server, 0x12, "127.0.0.1", outside_port), "client");
    show_info(node.server, client); // asked for, nothing more
    CHECK(await(&node, client).type == SOCKET_OPEN);
    show_info(node.server, client);
    int v6 = named(node_listen(&node, 0x13, "::1", &port), "IPv6 listener");
    show_info(node.server, v6);
    int udp = named(socket_server_udp(node.server, 0x14, "127.0.0.1", 0), "udp");
    settle(&node);
    show_known(node.server, udp, false); // without an address the name is any text
    CHECK(socket_server_udp_connect(node.server, udp, "127.0.0.1", 4321) == 0);
    settle(&node);
    show_info(node.server, udp);
    CHECK(strcmp(info_of(node.server, udp).name, "127.0.0.1:4321") == 0);
    CHECK(send_text(node.server, udp, "datagram") == 0);
    settle(&node);
    show_info(node.server, udp);
    int dialled = named(socket_server_udp_dial(node.server, 0x15, "::1", 4321), "dialled");
    settle(&node);
    show_info(node.server, dialled);
    CHECK(strcmp(info_of(node.server, dialled).name, "::1:4321") == 0);
    socket_server_close(node.server, 0x14, udp);
    show(&node, udp);

    shutdown(peer, SHUT_WR);
    socket_server_start(node.server, 0x16, accepted);
    show(&node, accepted);
    show(&node, accepted);
    show_info(node.server, accepted);

    int types[8] = {0};
    int count = listed(types);
    say("%d listed: %d listen, %d tcp, %d udp, %d bound, %d closing, %d unknown", count,
        types[SOCKET_INFO_LISTEN], types[SOCKET_INFO_TCP], types[SOCKET_INFO_UDP],
        types[SOCKET_INFO_BIND], types[SOCKET_INFO_CLOSING], types[SOCKET_INFO_UNKNOWN]);

    size_t before = malloc_memory_block();
    for (int i = 0; i < 100; i++) {
        struct socket_info *list = NULL;
        for (int j = 0; j < 5; j++) {
            struct socket_info *next = socket_info_create(list), empty = {.next = list};
            CHECK(memcmp(next, &empty, sizeof empty) == 0);
            list = next;
        }
        socket_info_release(list);
        socket_info_release(NULL);
        int ignored[8];
        listed(ignored);
    }
    say_leaks("lists", before, 100);
    close(peer);
    close(outside);
    node_drop(&node);
    return 0;
}
