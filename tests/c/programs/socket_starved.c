// No descriptors left: nobody who connects is sent away. The owner of the listener is
// told once, and when there are descriptors again, all are accepted by itself.
// ctest: only=ours needs=descriptors
#include "sockets.h"

#include <sys/resource.h>

enum { PEERS = 60, SPARE = 20 };

static struct node node;

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    launch_logger("silent");
    node_open(&node);
    int port, peers[PEERS], accepted = 0, errors = 0;
    int listener = named(node_listen(&node, 7, "127.0.0.1", &port), "listener");
    for (int i = 0; i < PEERS; i++) // into the system's queue: the node is not polled
        peers[i] = peer_connect("127.0.0.1", port);
    struct rlimit old, few;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    few = old;
    few.rlim_cur = (rlim_t)open_descriptors() + SPARE;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    for (;;) {
        struct event event = await(&node, listener);
        if (event.type == SOCKET_ERR) {
            show_event(event);
            break;
        }
        CHECK(event.type == SOCKET_ACCEPT);
        accepted++;
    }
    say("some are accepted: %d", accepted > 0 && accepted < PEERS);
    for (int i = 0; i < 10; i++)
        settle(&node);
    struct event event = kept(&node, listener);
    say("no more is said: %d", event.type == NO_EVENT);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    while (accepted < PEERS) {
        event = await(&node, listener);
        if (event.type == SOCKET_ACCEPT)
            accepted++;
        else
            errors++;
    }
    say("all are accepted, errors: %d", errors);
    for (int i = 0; i < PEERS; i++)
        close(peers[i]);
    node_drop(&node);
    return 0;
}
