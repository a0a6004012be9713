// The node's own server, with nothing but main to poll it: skynet_socket_poll turns
// what happens into messages, says whether more is to come, and ends with 0.
// ctest:
#include "sockets.h"

static struct skynet_context *service;
static int finished;

static int opened, accepted;

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    (void)ud;
    const struct skynet_socket_message *message = msg;
    CHECK(type == PTYPE_SOCKET && session == 0 && source == 0);
    const char *text = (const char *)(message + 1);
    int length = (int)(sz - sizeof *message);
    if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->ud != 0) {
        say("listening, %d bytes of text \"%.*s\"", length, length, text);
        skynet_socket_start(context, message->id);
        int client = skynet_socket_connect(context, "127.0.0.1", message->ud);
        CHECK(client > message->id);
    } else if (message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
        accepted++;
        skynet_socket_start(context, message->ud);
    } else if (message->type == SKYNET_SOCKET_TYPE_CONNECT) {
        opened++;
        if (length == 9 && memcmp(text, "127.0.0.1", 9) == 0)
            CHECK(skynet_socket_send(context, message->id, strdup("hello"), 5) == 0);
        else
            CHECK(length == 5 && memcmp(text, "start", 5) == 0);
    } else {
        CHECK(message->type == SKYNET_SOCKET_TYPE_DATA && sz == sizeof *message);
        say("data \"%.*s\", %d accepted, %d opened", message->ud, message->buffer, accepted,
            opened);
        skynet_free(message->buffer);
        finished = 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    skynet_socket_init();
    skynet_socket_updatetime();
    service = launch("blank", NULL);
    skynet_callback(service, NULL, on_message);
    int id = skynet_socket_listen(service, "127.0.0.1", 0, 8);
    say("listen: %d", id);
    waiting("messages");
    while (!finished) {
        int result = skynet_socket_poll();
        CHECK(result == 1 || result == -1);
        pump();
    }
    struct socket_info *list = skynet_socket_info();
    int listed = 0;
    for (struct socket_info *info = list; info != NULL; info = info->next) {
        CHECK(info->opaque == skynet_context_handle(service));
        listed++;
    }
    socket_info_release(list);
    say("%d sockets", listed);
    skynet_socket_exit();
    int result;
    do
        result = skynet_socket_poll();
    while (result != 0);
    say("the end");
    skynet_socket_free();
    retire(service);
    return 0;
}
