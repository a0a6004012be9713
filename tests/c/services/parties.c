// Modules as third parties write them, working together: lineserver speaks on sockets
// and passes messages on by their pointers, keeper keeps them for a while, answerer
// answers with a type of message of its own. They see include/ alone.
// ctest: thread=4 logger=silent
#include "sockets.h"

enum { LINES = 30 };

static uint32_t start(struct skynet_context *context, const char *command) {
    const char *address = skynet_command(context, "LAUNCH", command);
    CHECK(address != NULL);
    return (uint32_t)strtoul(address + 1, NULL, 16);
}

// Sends a line and waits until it is read: each is to be a message of its own.
static void send_line(int peer, const char *line) {
    static uint64_t sent;
    peer_send(peer, line, strlen(line));
    sent += strlen(line);
    waiting("a line to be read");
    for (uint64_t got = 0; got < sent; usleep(200)) {
        struct socket_info *list = skynet_socket_info();
        for (struct socket_info *info = list; info != NULL; info = info->next)
            if (info->type == SOCKET_INFO_TCP)
                got = info->read;
        socket_info_release(list);
    }
    alarm(0);
}

// Three lines, then three answers: keeper passes on no fewer.
static void talk(int port) {
    int peer = peer_connect("127.0.0.1", port);
    char got[3 * 64];
    for (int i = 0; i < LINES; i += 3) {
        size_t expected = 0, count = 0;
        for (int j = 0; j < 3; j++) {
            char line[32];
            snprintf(line, sizeof line, "line %d", i + j);
            send_line(peer, line);
            expected += strlen(line) + (i + j + 1 < 10 ? 3 : 4);
        }
        waiting("answers");
        while (count < expected) {
            ssize_t n = recv(peer, got + count, sizeof got - 1 - count, 0);
            CHECK(n > 0);
            count += (size_t)n;
        }
        got[count] = 0;
        if (i < 6)
            say("%s", got);
    }
    // All three are answered with "bye"; the first of them ends it.
    send_line(peer, "leave");
    send_line(peer, "leave");
    peer_send(peer, "leave", 5);
    waiting("the end");
    size_t count = 0;
    for (ssize_t n; (n = recv(peer, got + count, 3, 0)) > 0;)
        count += (size_t)n < 3 - count ? (size_t)n : 3 - count;
    alarm(0);
    say("then \"%.3s\" and the end", got);
    close(peer);
}

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)session, (void)source;
    if (type != PTYPE_CLIENT)
        return 0;
    CHECK(sz == sizeof(int));
    talk(*(const int *)msg);
    skynet_command(context, "ABORT", NULL);
    return 0;
}

int parties_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    char command[64];
    uint32_t self = skynet_queryname(context, skynet_command(context, "REG", NULL));
    skynet_callback(context, NULL, on_message);
    uint32_t answerer = start(context, "answerer");
    snprintf(command, sizeof command, "keeper %x", answerer);
    uint32_t keeper = start(context, command);
    snprintf(command, sizeof command, "lineserver %x %x", keeper, self);
    start(context, command);
    return 0;
}
