// A bound descriptor that no poller takes, a plain file: it is read to its end. (The
// reference reports an error.)
// ctest: only=ours
#include "sockets.h"

static struct node node;

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    node_open(&node);
    char path[4096];
    snprintf(path, sizeof path, "%s/file", argv[2]);
    int file = open(path, O_RDWR | O_CREAT, 0600);
    CHECK(file >= 0 && write(file, "some text", 9) == 9 && lseek(file, 0, SEEK_SET) == 0);
    int id = named(socket_server_bind(node.server, 0xb4, file), "file");
    show(&node, id);
    show(&node, id);
    show(&node, id);
    socket_server_close(node.server, 0xb4, id);
    show_rest(&node, id);
    close(file);
    node_drop(&node);
    return 0;
}
