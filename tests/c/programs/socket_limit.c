// No descriptors left: the node says so, keeps its connections, and accepts again
// when there are some.
// ctest:
#include "sockets.h"

#include <sys/resource.h>
#include <sys/wait.h>

enum { PEERS = 60 };

static struct node node;

// Connects PEERS times and, when it is told so, goes and comes again; in a process of its own, for
// descriptors are a process's.
static void connect_often(int port, int go) {
    int fds[PEERS];
    char byte;
    for (int i = 0; i < PEERS; i++)
        fds[i] = peer_connect("127.0.0.1", port);
    CHECK(read(go, &byte, 1) == 1);
    for (int i = 0; i < PEERS; i++)
        close(fds[i]);
    CHECK(read(go, &byte, 1) == 1);
    int last = peer_connect("127.0.0.1", port);
    peer_send(last, "again", 5);
    CHECK(recv(last, &byte, 1, 0) == 1);
    _exit(0);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    launch_logger("silent");
    signal(SIGPIPE, SIG_IGN);
    node_open(&node);
    int port, go[2], accepted[PEERS], count = 0;
    int listener = node_listen(&node, 1, "127.0.0.1", &port);
    CHECK(pipe(go) == 0);
    struct rlimit old, few;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(go[1]); // it ends with its parent
        connect_often(port, go[0]);
    }
    few = old;
    few.rlim_cur = (rlim_t)open_descriptors() + 20;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    // Some are accepted before there are no more descriptors.
    while (count < 10) {
        struct event event = await(&node, listener);
        if (event.type == SOCKET_ACCEPT)
            accepted[count++] = event.ud;
        else
            CHECK(event.type == SOCKET_ERR && strcmp(event.text, "Too many open files") == 0);
    }
    for (int i = 0; i < 20; i++)
        settle(&node);
    for (struct event event = kept(&node, listener); event.type != NO_EVENT;
         event = kept(&node, listener))
        if (event.type == SOCKET_ACCEPT)
            accepted[count++] = event.ud;
    say("not all are accepted: %d", count < PEERS);
    // One that is there works on.
    socket_server_start(node.server, 1, accepted[0]);
    CHECK(await(&node, accepted[0]).type == SOCKET_OPEN);
    CHECK(send_text(node.server, accepted[0], "hello") == 0);
    for (int i = 0; i < count; i++)
        socket_server_close(node.server, 1, accepted[i]);
    CHECK(write(go[1], "x", 1) == 1);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(write(go[1], "x", 1) == 1);
    // The last of all is accepted, without anybody's doing.
    for (bool again = false; !again;) {
        struct event event = await(&node, listener);
        if (event.type != SOCKET_ACCEPT)
            continue;
        socket_server_start(node.server, 1, event.ud);
        CHECK(await(&node, event.ud).type == SOCKET_OPEN);
        struct event data = await(&node, event.ud);
        if (data.type == SOCKET_DATA && data.ud == 5) {
            again = true;
            CHECK(send_text(node.server, event.ud, "!") == 0);
        }
        free(data.data);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    say("accepted again");
    node_drop(&node);
    return 0;
}
