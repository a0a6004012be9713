// Ids rise, and none is given out twice while it is in use, nor soon after.
// ctest: deadline=120
#include "sockets.h"

enum { ROUNDS = 70000 };

static struct node node;

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    node_open(&node);
    int port, listener = node_listen(&node, 1, "127.0.0.1", &port);
    int first = socket_server_udp(node.server, 1, NULL, 0), last = first;
    for (int i = 0; i < ROUNDS; i++) {
        int id = socket_server_udp(node.server, 1, NULL, 0);
        if (id <= last)
            fail(__FILE__, __LINE__, "an id does not rise");
        last = id;
        CHECK(id != listener && id != node.tick_id);
        socket_server_close(node.server, 1, id);
        CHECK(poll_once(node.server).type == SOCKET_CLOSE);
    }
    say("ids rise");
    // Those that were there from the beginning still are.
    int peer = peer_connect("127.0.0.1", port);
    struct event event = await(&node, listener);
    say("the listener accepts: %d", event.type == SOCKET_ACCEPT && event.ud > last);
    say("the first: %d", info_of(node.server, first).type == SOCKET_INFO_UDP);
    say("send to an old id: %d", send_text(node.server, last, "x"));
    close(peer);
    node_drop(&node);
    return 0;
}
