// Who frees a message: copied, given away, kept, left over, refused.
// ctest:
#include "driver.h"

enum { ROUNDS = 1000 };

static const char text[] = "0123456789";
static const void *given;
static void *kept;

static int copied(struct skynet_context *context, void *ud, int type, int session,
                  uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)ud, (void)type, (void)session, (void)source;
    // A copy has a zero byte after its end.
    CHECK(msg != text && sz <= 10 && memcmp(msg, text, sz) == 0);
    CHECK(((const char *)msg)[sz] == 0);
    return 0;
}

static int not_copied(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)ud, (void)type, (void)session, (void)source;
    CHECK(msg == given && sz == 10);
    return 0;
}

static int keeping(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)ud, (void)type, (void)session, (void)source, (void)sz;
    kept = (void *)msg;
    return 1;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    struct skynet_context *sender = launch("blank", NULL), *service = launch("blank", NULL);
    uint32_t handle = skynet_context_handle(service);
    skynet_send(sender, 0, handle, PTYPE_TEXT, 0, "warm up", 7);
    pump();
    say("counting");

    size_t before = malloc_memory_block();
    skynet_callback(service, NULL, copied);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(skynet_send(sender, 0, handle, PTYPE_TEXT, 0, (void *)text, i % 11) == 0);
        pump();
    }
    say_leaks("copied", before, ROUNDS);

    skynet_callback(service, NULL, not_copied);
    for (int i = 0; i < ROUNDS; i++) {
        given = skynet_strdup(text);
        CHECK(skynet_send(sender, 0, handle, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 0, (void *)given, 10) == 0);
        pump();
    }
    say_leaks("given", before, ROUNDS);

    skynet_callback(service, NULL, keeping);
    for (int i = 0; i < ROUNDS; i++) {
        skynet_send(sender, 0, handle, PTYPE_TEXT, 0, (void *)text, 10);
        pump();
        CHECK(memcmp(kept, text, 11) == 0);
        skynet_free(kept);
    }
    say_leaks("kept", before, ROUNDS);

    uint32_t nobody = handle + 1000;
    for (int i = 0; i < ROUNDS; i++) {
        int type = i % 2 ? PTYPE_TEXT : PTYPE_TEXT | PTYPE_TAG_DONTCOPY;
        void *payload = i % 2 ? (void *)text : skynet_strdup(text);
        CHECK(skynet_send(sender, 0, nobody, type, 0, payload, 10) == -1);
        payload = i % 2 ? (void *)text : skynet_strdup(text);
        CHECK(skynet_sendname(sender, 0, ".nobody", type, 0, payload, 10) == -1);
        payload = i % 2 ? (void *)text : skynet_strdup(text);
        CHECK(skynet_send(sender, 0, 0, type, 0, payload, 10) == -1);
        payload = i % 2 ? (void *)text : skynet_strdup(text);
        CHECK(skynet_send(sender, 0, handle, type, 0, payload, (size_t)1 << 56) == -2);
        CHECK(skynet_send(sender, 0, nobody, PTYPE_TEXT, 0, NULL, 0) == -1);
    }
    say_leaks("refused", before, ROUNDS);

    for (int i = 0; i < ROUNDS; i++) {
        uint32_t doomed = skynet_context_new("blank", NULL);
        skynet_send(sender, 0, doomed, PTYPE_TEXT, 0, (void *)text, 10);
        skynet_send(sender, 0, doomed, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 0, skynet_strdup(text), 10);
        skynet_handle_retire(doomed);
        pump();
    }
    say_leaks("left in a mailbox", before, ROUNDS);
    return 0;
}
