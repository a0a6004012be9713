// Objects whose bytes are not where the object is, with low priority and behind
// buffers that are half sent.
// ctest: only=ours
#include "sockets.h"

enum { BIG = 12 << 20, OBJECTS = 9 };

struct apart {
    char *bytes;
    size_t size;
};

static struct node node;
static int freed;

static const void *apart_bytes(const void *object) {
    return ((const struct apart *)object)->bytes;
}

static size_t apart_size(const void *object) {
    return ((const struct apart *)object)->size;
}

static void apart_free(void *object) {
    freed++;
    skynet_free(((struct apart *)object)->bytes);
    skynet_free(object);
}

static void queue(int id, char filling, size_t size, bool low) {
    struct apart *object = skynet_malloc(sizeof *object);
    *object = (struct apart){.bytes = memset(skynet_malloc(size), filling, size), .size = size};
    struct socket_sendbuffer buffer = {.id = id, .type = SOCKET_BUFFER_OBJECT, .buffer = object};
    CHECK((low ? socket_server_send_lowpriority : socket_server_send)(node.server, &buffer) == 0);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    struct socket_object_interface objects = {apart_bytes, apart_size, apart_free};
    node_open(&node);
    socket_server_userobject(node.server, &objects);
    int port, listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);
    int id = socket_server_connect(node.server, 1, "127.0.0.1", port);
    CHECK(await(&node, id).type == SOCKET_OPEN);
    int peer = peer_accept(listener);
    queue(id, 'a', 10, true);
    queue(id, 'B', BIG, false);
    for (int i = 0; i < OBJECTS - 4; i++)
        queue(id, i % 2 ? 'h' : 'l', 10, i % 2 == 0);
    queue(id, 'L', BIG, true);
    settle(&node);
    queue(id, 'm', 10, true);
    socket_server_close(node.server, 1, id);
    char order[64] = "";
    static char buffer[65536];
    for (int state = 1; state > 0;) {
        size_t count;
        state = peer_read(&node, peer, buffer, sizeof buffer, &count);
        for (size_t i = 0; i < count; i++) {
            size_t length = strlen(order);
            CHECK(length < sizeof order - 1);
            if (length == 0 || order[length - 1] != buffer[i])
                order[length] = buffer[i];
        }
    }
    say("%s, %d of %d objects freed", order, freed, OBJECTS);
    close(peer);
    close(listener);
    node_drop(&node);
    return 0;
}
