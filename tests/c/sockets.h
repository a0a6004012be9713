// For programs that poll socket servers by hand. A server is polled only when
// something is going to happen: socket_server_poll does not return before. What it
// reports is printed with the names that the program gives to ids, and without port
// numbers, which the system chose.
#ifndef CTEST_SOCKETS_H
#define CTEST_SOCKETS_H

#include "driver.h"
#include "skynet_socket.h"
#include "socket_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { PATIENCE = 20, EVENTS = 512, NO_EVENT = -1 };

struct event {
    int type, id, ud;
    uintptr_t opaque;
    char *data; // of SOCKET_DATA and SOCKET_UDP: the receiver frees it
    char text[200];
};

struct node {
    struct socket_server *server;
    int tick_id, tick_fd, tick_bound; // a bound descriptor and its other end: see `settle`
    struct event events[EVENTS];
    int count; // events that were reported while another socket's was awaited
};

static const char *sockets_waiting = "nothing";
static const char *socket_names[4096];

__attribute__((unused))
static void waited_in_vain(int signal) {
    (void)signal;
    fail("sockets.h", 0, sockets_waiting);
}

// Says what is waited for, from here on for at most PATIENCE seconds.
__attribute__((unused))
static void waiting(const char *what) {
    sockets_waiting = what;
    signal(SIGALRM, waited_in_vain);
    alarm(getenv("CTEST_PATIENCE") ? atoi(getenv("CTEST_PATIENCE")) : PATIENCE);
}

__attribute__((unused))
static int named(int id, const char *name) {
    CHECK(id > 0 && id < 4096);
    socket_names[id] = name;
    return id;
}

// The next thing that a server reports.
__attribute__((unused))
static struct event poll_once(struct socket_server *server) {
    struct socket_message message = {0};
    int more = 1;
    struct event event = {.type = socket_server_poll(server, &message, &more)};
    event.id = message.id;
    event.ud = message.ud;
    event.opaque = message.opaque;
    if (event.type == SOCKET_DATA || event.type == SOCKET_UDP)
        event.data = message.data;
    else if (message.data != NULL)
        snprintf(event.text, sizeof event.text, "%s", message.data);
    return event;
}

static void keep(struct node *node, struct event event) {
    CHECK(node->count < EVENTS);
    node->events[node->count++] = event;
}

// The oldest event of a socket that is kept, if there is one.
__attribute__((unused))
static struct event kept(struct node *node, int id) {
    for (int i = 0; i < node->count; i++) {
        struct event event = node->events[i];
        if (event.id == id) {
            node->count--;
            memmove(&node->events[i], &node->events[i + 1],
                    (size_t)(node->count - i) * sizeof event);
            return event;
        }
    }
    return (struct event){.type = NO_EVENT, .id = id};
}

// The next event of a socket; those of others are kept for later.
__attribute__((unused))
static struct event await(struct node *node, int id) {
    struct event event = kept(node, id);
    waiting(id > 0 && id < 4096 && socket_names[id] ? socket_names[id] : "an event");
    while (event.type == NO_EVENT) {
        event = poll_once(node->server);
        if (event.id != id) {
            keep(node, event);
            event.type = NO_EVENT;
        }
    }
    alarm(0);
    return event;
}

// Lets the server handle what it has been asked for and what has arrived.
__attribute__((unused))
static void settle(struct node *node) {
    for (int i = 0; i < 3; i++) {
        CHECK(write(node->tick_fd, "x", 1) == 1);
        struct event event = await(node, node->tick_id);
        CHECK(event.type == SOCKET_DATA && event.ud == 1);
        free(event.data);
    }
}

__attribute__((unused))
static void node_open(struct node *node) {
    int pair[2];
    memset(node, 0, sizeof *node);
    node->server = socket_server_create(0);
    CHECK(node->server != NULL);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    node->tick_fd = pair[1];
    node->tick_bound = pair[0];
    node->tick_id = socket_server_bind(node->server, 0, pair[0]);
    CHECK(await(node, node->tick_id).type == SOCKET_OPEN);
}

static void show_event(struct event event);

// Releases a server, whatever it may have reported.
__attribute__((unused))
static void node_drop(struct node *node) {
    socket_server_exit(node->server);
    waiting("exit");
    struct event event;
    do {
        event = poll_once(node->server);
        free(event.data);
    } while (event.type != SOCKET_EXIT);
    alarm(0);
    socket_server_release(node->server);
    for (int i = 0; i < node->count; i++)
        free(node->events[i].data);
    close(node->tick_fd);
    close(node->tick_bound); // a bound descriptor stays its owner's
}

// The same; what it has reported and nobody has looked at is printed.
__attribute__((unused))
static void node_close(struct node *node) {
    settle(node);
    for (int i = 0; i < node->count; i++) {
        say("left over:");
        show_event(node->events[i]);
    }
    node->count = 0;
    node_drop(node);
}

// `text` with the digits behind its last colon taken away, if a port may be there.
static const char *portless(const char *text) {
    static char buffer[200];
    snprintf(buffer, sizeof buffer, "%s", text);
    char *colon = strrchr(buffer, ':');
    if (colon != NULL && colon[1] != 0 && strspn(colon + 1, "0123456789") == strlen(colon + 1))
        strcpy(colon, ":PORT");
    return buffer;
}

static const char *name_of(int id) {
    static char number[32];
    if (id > 0 && id < 4096 && socket_names[id] != NULL)
        return socket_names[id];
    snprintf(number, sizeof number, "%d", id);
    return number;
}

// Prints an event and frees its data.
static void show_event(struct event event) {
    static const char *const types[] = {"data", "close", "open", "accept", "error",
                                        "exit", "udp",   "warning"};
    const char *type = event.type >= 0 && event.type < 8 ? types[event.type] : "nothing";
    const char *name = name_of(event.id);
    if (event.type == NO_EVENT)
        say("%s: nothing", name);
    else if (event.data != NULL && event.ud <= 64)
        say("%s: %s for %lx, %d bytes \"%.*s\"", name, type, (long)event.opaque, event.ud,
            event.ud, event.data);
    else if (event.data != NULL)
        say("%s: %s for %lx, %d bytes", name, type, (long)event.opaque, event.ud);
    else if (event.type == SOCKET_OPEN && event.ud != 0)
        say("%s: open for %lx, a port, \"%s\"", name, (long)event.opaque, event.text);
    else if (event.type == SOCKET_ACCEPT)
        say("%s: accept for %lx, \"%s\"", name, (long)event.opaque, portless(event.text));
    else
        say("%s: %s for %lx, %d, \"%s\"", name, type, (long)event.opaque, event.ud, event.text);
    free(event.data);
}

// Awaits and prints the next event of a socket.
__attribute__((unused))
static struct event show(struct node *node, int id) {
    struct event event = await(node, id);
    show_event(event);
    event.data = NULL;
    return event;
}

// Prints what has been reported about a socket up to now.
__attribute__((unused))
static void show_rest(struct node *node, int id) {
    settle(node);
    struct event event = kept(node, id);
    do {
        show_event(event);
        event = kept(node, id);
    } while (event.type != NO_EVENT);
}

// Awaits `size` bytes from a socket, in whatever pieces they come.
__attribute__((unused))
static void await_bytes(struct node *node, int id, char *buffer, int size) {
    for (int got = 0; got < size;) {
        struct event event = await(node, id);
        if (event.type != SOCKET_DATA)
            show_event(event);
        CHECK(event.type == SOCKET_DATA && event.ud <= size - got);
        memcpy(buffer + got, event.data, (size_t)event.ud);
        got += event.ud;
        free(event.data);
    }
}

// The node's listener on an address, started; its port.
__attribute__((unused))
static int node_listen(struct node *node, uintptr_t opaque, const char *address, int *port) {
    int id = socket_server_listen(node->server, opaque, address, 0, 64);
    CHECK(id > 0);
    struct event event = await(node, id);
    CHECK(event.type == SOCKET_OPEN && event.ud > 0);
    *port = event.ud;
    socket_server_start(node->server, opaque, id);
    CHECK(await(node, id).type == SOCKET_OPEN);
    return id;
}

// What else the process does with sockets: the other ends.

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t address_of(union address *address, const char *host, int port) {
    memset(address, 0, sizeof *address);
    if (strchr(host, ':') != NULL) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((uint16_t)port);
        CHECK(inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1);
        return sizeof address->v6;
    }
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons((uint16_t)port);
    CHECK(inet_pton(AF_INET, host, &address->v4.sin_addr) == 1);
    return sizeof address->v4;
}

static int own_port(int fd) {
    union address address;
    socklen_t size = sizeof address;
    CHECK(getsockname(fd, &address.any, &size) == 0);
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

static void be_patient(int fd) {
    struct timeval limit = {.tv_sec = PATIENCE};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
}

// A small buffer at the peer's side: how much the system takes from a node while the
// peer does not read is bounded then.
static void be_small(int fd) {
    int size = 64 << 10;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
}

// A listening or datagram socket on a free port.
__attribute__((unused))
static int peer_bind(int type, const char *host, int *port) {
    union address address;
    socklen_t size = address_of(&address, host, 0);
    int fd = socket(address.any.sa_family, type, 0);
    CHECK(fd >= 0);
    be_small(fd);
    CHECK(bind(fd, &address.any, size) == 0);
    CHECK(type == SOCK_DGRAM || listen(fd, 64) == 0);
    be_patient(fd);
    *port = own_port(fd);
    return fd;
}

__attribute__((unused))
static int peer_connect(const char *host, int port) {
    union address address;
    socklen_t size = address_of(&address, host, port);
    int fd = socket(address.any.sa_family, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    be_small(fd);
    CHECK(connect(fd, &address.any, size) == 0);
    be_patient(fd);
    return fd;
}

__attribute__((unused))
static int peer_accept(int listener) {
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    be_patient(fd);
    return fd;
}

__attribute__((unused))
static void peer_send(int fd, const void *data, size_t size) {
    CHECK(send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size);
}

// Closes so that the other side sees a reset.
__attribute__((unused))
static void peer_reset(int fd) {
    struct linger at_once = {.l_onoff = 1};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(fd);
}

// Reads up to `size` bytes, or to the end if that comes first, while the node works.
// The end is 0, or -1 for a reset; `got` are the bytes before.
__attribute__((unused))
static int peer_read(struct node *node, int fd, char *buffer, size_t size, size_t *got) {
    for (*got = 0; *got < size;) {
        ssize_t n = recv(fd, buffer + *got, size - *got, MSG_DONTWAIT);
        if (n == 0)
            return 0;
        if (n > 0)
            *got += (size_t)n;
        else if (errno == EAGAIN)
            settle(node);
        else
            return -1;
    }
    return 1;
}

__attribute__((unused))
static void peer_expect(struct node *node, int fd, const char *text) {
    char buffer[256];
    size_t got;
    CHECK(peer_read(node, fd, buffer, strlen(text), &got) == 1);
    CHECK(memcmp(buffer, text, got) == 0);
}

// Says how the connection ends for the peer.
__attribute__((unused))
static void peer_say_end(struct node *node, const char *name, int fd) {
    char buffer[256];
    size_t got, rest = 0;
    int end;
    while ((end = peer_read(node, fd, buffer, sizeof buffer, &got)) > 0)
        rest += got;
    rest += got;
    say("%s sees %s%s", name, rest ? "more bytes and " : "", end == 0 ? "the end" : "a reset");
}

// The node's descriptor whose other end is `peer`, or -1.
__attribute__((unused))
static int node_fd(int peer) {
    union address wanted, found;
    socklen_t size = sizeof wanted;
    memset(&wanted, 0, sizeof wanted);
    CHECK(getsockname(peer, &wanted.any, &size) == 0);
    for (int fd = 3; fd < 1024; fd++) {
        size = sizeof found;
        memset(&found, 0, sizeof found);
        if (fd != peer && getpeername(fd, &found.any, &size) == 0
            && memcmp(&wanted, &found, sizeof wanted) == 0)
            return fd;
    }
    return -1;
}

// Waits until the system has at least `size` bytes for the node to read.
__attribute__((unused))
static void await_arrival(int peer, int size) {
    int fd = node_fd(peer), there = 0;
    CHECK(fd >= 0);
    waiting("bytes to arrive");
    while (there < size) {
        CHECK(ioctl(fd, FIONREAD, &there) == 0);
        usleep(200);
    }
    alarm(0);
}

__attribute__((unused))
static int open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 8192; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

// What is known about a socket; type SOCKET_INFO_UNKNOWN if it is not listed.
__attribute__((unused))
static struct socket_info info_of(struct socket_server *server, int id) {
    struct socket_info found = {.id = id}, *list = socket_server_info(server);
    for (struct socket_info *info = list; info != NULL; info = info->next)
        if (info->id == id)
            found = *info;
    socket_info_release(list);
    found.next = NULL;
    return found;
}

__attribute__((unused))
static void show_known(struct socket_server *server, int id, bool name) {
    static const char *const types[] = {"not listed", "listen", "tcp", "udp", "bind", "closing"};
    struct socket_info info = info_of(server, id);
    say("%s: %s for %lx, read %lu at %lu, written %lu at %lu, %ld to write%s%s, \"%s\"",
        name_of(id), types[info.type], (long)info.opaque, (long)info.read, (long)info.rtime,
        (long)info.write, (long)info.wtime, (long)info.wbuffer, info.reading ? ", reading" : "",
        info.writing ? ", writing" : "", name ? portless(info.name) : "");
}

__attribute__((unused))
static void show_info(struct socket_server *server, int id) {
    show_known(server, id, true);
}

// Sends, and objects that are counted.

__attribute__((unused))
static int send_memory(struct socket_server *server, int id, const void *data, size_t size) {
    void *block = skynet_malloc(size ? size : 1);
    memcpy(block, data, size);
    struct socket_sendbuffer buffer = {
        .id = id, .type = SOCKET_BUFFER_MEMORY, .buffer = block, .sz = size};
    return socket_server_send(server, &buffer);
}

__attribute__((unused))
static int send_low(struct socket_server *server, int id, const void *data, size_t size) {
    void *block = skynet_malloc(size ? size : 1);
    memcpy(block, data, size);
    struct socket_sendbuffer buffer = {
        .id = id, .type = SOCKET_BUFFER_MEMORY, .buffer = block, .sz = size};
    return socket_server_send_lowpriority(server, &buffer);
}

__attribute__((unused))
static int send_text(struct socket_server *server, int id, const char *text) {
    return send_memory(server, id, text, strlen(text));
}

// An object is a pointer to its bytes; before them stands their number. (The reference
// takes a low one whose bytes are elsewhere for half sent, and ends the process.)
static int objects_made, objects_freed;

static const void *object_data(const void *object) {
    return object;
}

static size_t object_size(const void *object) {
    return ((const size_t *)object)[-1];
}

static void object_free(void *object) {
    objects_freed++;
    skynet_free((size_t *)object - 1);
}

__attribute__((unused))
static struct socket_object_interface counted_objects = {
    .buffer = object_data, .size = object_size, .free = object_free};

__attribute__((unused))
static void *object_new(size_t size, char filling) {
    size_t *object = skynet_malloc(sizeof *object + size);
    *object = size;
    objects_made++;
    return memset(object + 1, filling, size);
}

#endif
