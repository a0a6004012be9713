// Messages to other nodes go to the harbor service, as one struct each.
// ctest:
#include "driver.h"

static int remote(struct skynet_context *context, void *ud, int type, int session,
                  uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)ud;
    const struct remote_message *r = msg;
    CHECK(type == PTYPE_SYSTEM && sz == sizeof *r);
    say("harbor: session %d source %x to \"%.16s\" %x: type %d size %zu \"%.*s\"", session, source,
        r->destination.handle ? "" : r->destination.name, r->destination.handle, r->type, r->sz,
        (int)r->sz, r->message ? (const char *)r->message : "");
    skynet_free((void *)r->message);
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 2);
    struct skynet_context *harbor = launch("blank", NULL), *service = launch_printer("service");
    skynet_callback(harbor, NULL, remote);
    int number = -1;
    CHECK(skynet_isremote(service, 0x03000001, &number) != 0 && number == 3);
    CHECK(skynet_isremote(service, 0x02000001, &number) == 0 && number == 2);
    CHECK(skynet_isremote(service, 0x00000001, NULL) == 0);
    CHECK(skynet_harbor_message_isremote(0x01000001) != 0);
    CHECK(skynet_harbor_message_isremote(0x02000001) == 0);
    CHECK(skynet_harbor_message_isremote(1) == 0);
    pump();

    say("%d services", skynet_context_total());
    skynet_harbor_start(harbor);
    say("%d count, the harbor does not", skynet_context_total());

    size_t before = malloc_memory_block();
    uint32_t far = 0x05000009;
    CHECK(skynet_send(service, 0, far, PTYPE_TEXT, 11, "copied", 6) == 11);
    CHECK(skynet_send(service, 0, far, PTYPE_RESPONSE | PTYPE_TAG_DONTCOPY, 12, skynet_strdup("given"), 5) == 12);
    CHECK(skynet_send(service, 0x77, far, PTYPE_CLIENT | PTYPE_TAG_ALLOCSESSION, 0, NULL, 0) == 1);
    CHECK(skynet_sendname(service, 0, "SHORT", PTYPE_RESERVED_LUA, 13, "by name", 7) == 13);
    CHECK(skynet_sendname(service, 0, "ABCDEFGHIJKLMNOPQRS", PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 14, skynet_strdup("cut"), 3) == 14);
    CHECK(skynet_sendname(service, 0, ":5000009", PTYPE_TEXT, 15, "in text", 7) == 15);
    CHECK(skynet_sendname(service, 0, "LARGE", PTYPE_TEXT, 16, "", (size_t)1 << 56) == -2);
    pump();

    struct remote_message *r = skynet_calloc(1, sizeof *r);
    r->destination.handle = far;
    r->type = PTYPE_TEXT;
    r->message = skynet_strdup("by hand");
    r->sz = 7;
    skynet_harbor_send(r, 0x2000033, 17);
    pump();
    say_leaks("remote messages", before, 100);

    skynet_harbor_exit();
    // Its own reference is still there.
    CHECK(skynet_context_handle(harbor) == 0x02000001);
    return 0;
}
