// Descriptors that were opened elsewhere: read, written, and never closed for their
// owner, unless the other side ended first.
// ctest:
#include "sockets.h"

static struct node node;

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    signal(SIGPIPE, SIG_IGN);
    node_open(&node);
    int pair[2], pipes[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipes) == 0);
    int id = named(socket_server_bind(node.server, 0xb1, pair[0]), "pair");
    show(&node, id);
    show_info(node.server, id);
    peer_send(pair[1], "hello", 5);
    show(&node, id);
    say("send: %d", send_text(node.server, id, "and back"));
    peer_expect(&node, pair[1], "and back");
    socket_server_start(node.server, 0xb2, id); // it is: nothing is said
    show_rest(&node, id);
    socket_server_pause(node.server, 0xb2, id);
    settle(&node);
    peer_send(pair[1], "more", 4);
    show_rest(&node, id);
    socket_server_start(node.server, 0xb2, id);
    show(&node, id);
    show_info(node.server, id);
    socket_server_close(node.server, 0xb1, id);
    show(&node, id);
    say("its owner's still: %d", write(pair[0], "direct", 6) == 6);
    peer_expect(&node, pair[1], "direct");
    close(pair[0]);
    close(pair[1]);

    id = named(socket_server_bind(node.server, 0xb3, pipes[0]), "pipe");
    show(&node, id);
    CHECK(write(pipes[1], "through a pipe", 14) == 14);
    show(&node, id);
    close(pipes[1]);
    show(&node, id);
    show_rest(&node, id);
    socket_server_shutdown(node.server, 0xb3, id);
    settle(&node);
    show_info(node.server, id);

    node_close(&node);
    return 0;
}
