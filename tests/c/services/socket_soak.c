// A soak: waves of 2,000 connections that are open at once, send random numbers of
// bytes, and end at random, by half-closing, closing or resetting, from either side.
// Every byte that comes back is compared, every connection has one close, and after
// each wave descriptors, memory and the list of sockets are as they were before.
//
// It takes about 4 seconds, or what the variable SKYNET_SOAK_SECONDS says; the random
// numbers are the same each time, or begin with SKYNET_SOAK_SEED.
// ctest: thread=4 logger=silent deadline=180
#include "sockets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum {
    MOST = 2000,     // connections
    STREAM = 40000,  // the most bytes that one sends
    TOTALS = 1 << 20 // ids, of which a run uses as many as it has connections
};

// How a connection ends. The client tells the service in the stream's first byte.
enum end { HALF_CLOSE, HALF_CLOSE_LOW, CLOSE, RESET, SERVICE_CLOSES, SERVICE_SHUTS_DOWN, ENDS };

struct client {
    int fd;
    enum end end;
    int size, sent, got; // what is to be sent, was sent, came back
    bool connected, half_closed, over;
};

struct session {
    int got;
    unsigned char closes, errors, errors_after, accepted, ended;
};

static struct client clients[MOST];
static struct session sessions[TOTALS];
static int connections, port;
static atomic_int wave_done, connected_clients;
static int accepts, closes; // the service's alone
static double finish_at;
static uint64_t random_state = 20240229;

static uint64_t random_below(uint64_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % limit;
}

// The byte of a client's stream at an offset.
static char stream_byte(const struct client *client, int at) {
    return at == 0 ? (char)client->end : (char)((int)(client - clients) * 31 + at * 7 + at / 253);
}

static void begin(struct client *client) {
    union address address;
    socklen_t length = address_of(&address, "127.0.0.1", port);
    memset(client, 0, sizeof *client);
    client->end = (enum end)random_below(ENDS);
    client->size = 1 + (int)random_below(random_below(10) ? STREAM / 20 : STREAM);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(client->fd >= 0);
    CHECK(connect(client->fd, &address.any, length) == 0 || errno == EINPROGRESS);
}

static void finish(struct client *client) {
    if (client->end == RESET)
        peer_reset(client->fd);
    else
        close(client->fd);
    client->over = true;
}

static void write_some(struct client *client) {
    char bytes[4096];
    while (client->sent < client->size) {
        int count = client->size - client->sent, most = 1 + (int)random_below(sizeof bytes);
        count = count < most ? count : most;
        for (int i = 0; i < count; i++)
            bytes[i] = stream_byte(client, client->sent + i);
        ssize_t n = send(client->fd, bytes, (size_t)count, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN)
                return;
            CHECK(client->end >= SERVICE_CLOSES); // the service has ended it
            finish(client);
            return;
        }
        client->sent += (int)n;
        if (random_below(4) == 0)
            break; // others have their turn
    }
    if (client->sent < client->size || client->half_closed)
        return;
    if (client->end == CLOSE || client->end == RESET) {
        finish(client);
    } else { // the service may have left it to the client
        client->half_closed = true;
        shutdown(client->fd, SHUT_WR);
    }
}

static void read_some(struct client *client) {
    char bytes[8192];
    ssize_t n = recv(client->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        CHECK(client->got + n <= client->sent);
        for (int i = 0; i < n; i++)
            if (bytes[i] != stream_byte(client, client->got + i))
                fail(__FILE__, __LINE__, "another byte came back");
        client->got += (int)n;
    } else if (n == 0 || errno != EAGAIN) {
        if (client->end <= HALF_CLOSE_LOW) // all has come back
            CHECK(n == 0 && client->half_closed && client->got == client->size);
        else
            CHECK(client->end >= SERVICE_CLOSES);
        finish(client);
    }
}

static void show_stuck(int left) {
    say("%d of %d connected, %d live", atomic_load(&connected_clients), connections, left);
    for (int i = 0, shown = 0; i < connections && shown < 5; i++) {
        struct client *client = &clients[i];
        if (!client->over && shown++ < 5)
            say("client %d: end %d, size %d, sent %d, got %d, half closed %d, connected %d", i,
                client->end, client->size, client->sent, client->got, client->half_closed,
                client->connected);
    }
    fail(__FILE__, __LINE__, "nothing happens to these");
}

// One wave: all connect, and when all are connected, each has its life.
static void *wave(void *unused) {
    (void)unused;
    int poller = epoll_create1(0), left = connections;
    struct epoll_event events[64];
    atomic_store(&connected_clients, 0);
    for (int i = 0; i < connections; i++) {
        begin(&clients[i]);
        struct epoll_event event = {.events = EPOLLOUT, .data.ptr = &clients[i]};
        CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, clients[i].fd, &event) == 0);
    }
    while (left > 0) {
        int count = epoll_wait(poller, events, 64, 20000);
        if (count <= 0)
            show_stuck(left);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (!client->connected) {
                int error = 0;
                socklen_t size = sizeof error;
                getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
                CHECK(error == 0);
                client->connected = true;
                epoll_ctl(poller, EPOLL_CTL_MOD, client->fd,
                          &(struct epoll_event){.events = 0, .data.ptr = client});
                if (atomic_fetch_add(&connected_clients, 1) + 1 == connections)
                    for (int j = 0; j < connections; j++)
                        epoll_ctl(poller, EPOLL_CTL_MOD, clients[j].fd,
                                  &(struct epoll_event){.events = EPOLLIN | EPOLLOUT,
                                                        .data.ptr = &clients[j]});
                continue;
            }
            if (!client->over && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
                read_some(client);
            if (!client->over && (events[i].events & EPOLLOUT))
                write_some(client);
            if (client->over)
                left--;
            else if (client->sent == client->size)
                epoll_ctl(poller, EPOLL_CTL_MOD, client->fd,
                          &(struct epoll_event){.events = EPOLLIN, .data.ptr = client});
        }
    }
    close(poller);
    atomic_store(&wave_done, 1);
    return NULL;
}

static struct session *session_of(int id) {
    CHECK(id > 0 && id < TOTALS);
    return &sessions[id];
}

static void on_data(struct skynet_context *context, const struct skynet_socket_message *message) {
    struct session *session = session_of(message->id);
    static enum end ends[TOTALS];
    if (session->got == 0)
        ends[message->id] = (enum end)message->buffer[0];
    session->got += message->ud;
    enum end end = ends[message->id];
    if (session->ended) { // what was under way when it closed
        skynet_free(message->buffer);
        return;
    }
    if (end == HALF_CLOSE_LOW)
        skynet_socket_send_lowpriority(context, message->id, message->buffer, message->ud);
    else
        skynet_socket_send(context, message->id, message->buffer, message->ud);
    if (end < SERVICE_CLOSES || (session->got < 100 && random_below(5)))
        return;
    session->ended = 1;
    if (end == SERVICE_CLOSES)
        skynet_socket_close(context, message->id);
    else
        skynet_socket_shutdown(context, message->id);
}

static void on_socket(struct skynet_context *context, const struct skynet_socket_message *message) {
    struct session *session = session_of(message->id);
    switch (message->type) {
    case SKYNET_SOCKET_TYPE_CONNECT:
        if (message->ud != 0) {
            port = message->ud;
            skynet_socket_start(context, message->id);
            skynet_command(context, "TIMEOUT", "0");
        }
        break;
    case SKYNET_SOCKET_TYPE_ACCEPT:
        accepts++;
        CHECK(session_of(message->ud)->accepted++ == 0);
        skynet_socket_start(context, message->ud);
        break;
    case SKYNET_SOCKET_TYPE_DATA:
        CHECK(session->accepted == 1 && !session->closes);
        on_data(context, message);
        break;
    case SKYNET_SOCKET_TYPE_CLOSE:
        CHECK(session->accepted == 1 && session->closes++ == 0);
        closes++;
        if (!session->ended)
            skynet_socket_close(context, message->id);
        break;
    case SKYNET_SOCKET_TYPE_ERROR:
        // One at most in each direction, and one at most after the close.
        CHECK(session->accepted == 1);
        CHECK(session->closes ? session->errors_after++ == 0 : session->errors++ < 2);
        break;
    default:
        CHECK(message->type == SKYNET_SOCKET_TYPE_WARNING);
    }
}

static int listed(void) {
    int count = 0;
    struct socket_info *list = skynet_socket_info();
    for (struct socket_info *info = list; info != NULL; info = info->next)
        count++;
    socket_info_release(list);
    return count;
}

static void compare(const char *what, long before, long after, long more) {
    if (after > before + more) {
        say("%s: %ld before, %ld after", what, before, after);
        fail(__FILE__, __LINE__, "something is left");
    }
}

// Called every centisecond.
static void watch(struct skynet_context *context) {
    static int waves, descriptors, all_accepts, all_closes;
    static size_t blocks, memory;
    static pthread_t thread;
    static double since, begun;
    static int settled;
    if (begun == 0)
        begun = seconds();
    if (since > 0) { // a wave is under way
        int over = atomic_load(&wave_done);
        // Data that is on its way to the service would be counted as left.
        if (!over || accepts != connections || closes != connections || listed() != 1) {
            if (seconds() - since > 60) {
                say("%d connections, %d accepted, %d closed, %d listed, clients %s", connections,
                    accepts, closes, listed(), over ? "done" : "not done");
                fail(__FILE__, __LINE__, "a wave does not end");
            }
            skynet_command(context, "TIMEOUT", "1");
            return;
        }
        CHECK(pthread_join(thread, NULL) == 0);
        all_accepts += accepts;
        all_closes += closes;
        waves++;
        since = 0;
        if (!settled && waves >= 2 && seconds() - begun > 1.5) { // what is kept for later is there now
            settled = 1;
            descriptors = open_descriptors();
            blocks = malloc_memory_block();
            memory = malloc_used_memory();
        } else if (settled) {
            compare("descriptors", descriptors, open_descriptors(), 0);
            compare("blocks", (long)blocks, (long)malloc_memory_block(), connections / 20);
            compare("memory", (long)memory, (long)malloc_used_memory(), 1 << 20);
        }
        if (settled && waves > 2 && (seconds() >= finish_at || all_accepts + MOST + 10 > TOTALS)) {
            CHECK(all_accepts == all_closes && all_accepts == waves * connections);
            say("every connection was closed once; descriptors, blocks and memory are as before");
            fprintf(stderr, "%d waves of %d connections\n", waves, connections);
            skynet_command(context, "ABORT", NULL);
            return;
        }
    }
    accepts = closes = 0;
    atomic_store(&wave_done, 0);
    since = seconds();
    CHECK(pthread_create(&thread, NULL, wave, NULL) == 0);
    skynet_command(context, "TIMEOUT", "1");
}

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source, (void)sz;
    if (type == PTYPE_SOCKET)
        on_socket(context, msg);
    else if (type == PTYPE_RESPONSE)
        watch(context);
    return 0;
}

int socket_soak_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    const char *length = getenv("SKYNET_SOAK_SECONDS"), *seed = getenv("SKYNET_SOAK_SEED");
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    // Both ends of a connection are here.
    connections = limit.rlim_cur > 2 * MOST + 200 ? MOST : ((int)limit.rlim_cur - 200) / 2;
    CHECK(connections > 100);
    finish_at = seconds() + (length ? atof(length) : 4);
    if (seed != NULL)
        random_state += strtoull(seed, NULL, 10);
    skynet_callback(context, NULL, on_message);
    CHECK(skynet_socket_listen(context, "127.0.0.1", 0, 4096) > 0);
    return 0;
}
