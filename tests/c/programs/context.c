// How long a service lives, counted; what can be done with it from outside.
// ctest:
#include "driver.h"

static int count(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    ++*(int *)ud;
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    uint32_t handle = skynet_context_new("noisy", "first");
    say("handle %x, %d services", handle, skynet_context_total());
    struct skynet_context *first = skynet_handle_grab(handle);
    CHECK(skynet_context_handle(first) == handle);
    skynet_context_grab(first);
    CHECK(skynet_handle_retire(handle) == 1);
    CHECK(skynet_handle_grab(handle) == NULL);
    skynet_context_release(first);
    say("retired and held: %d services", skynet_context_total());
    skynet_context_release(first);
    say("released: %d services", skynet_context_total());
    pump();

    // A reserved service is held but does not keep the node alive.
    struct skynet_context *second = launch("noisy", "second");
    skynet_context_reserve(second);
    say("reserved: %d services", skynet_context_total());
    CHECK(skynet_handle_retire(skynet_context_handle(second)) == 1);
    skynet_context_release(second);
    say("not released yet");
    skynet_context_release(second);
    pump();

    int messages = 0;
    struct skynet_context *third = launch("blank", NULL);
    skynet_callback(third, &messages, count);
    CHECK(skynet_context_newsession(third) == 1);
    CHECK(skynet_context_newsession(third) == 2);
    CHECK(skynet_context_newsession(third) == 3);
    struct skynet_message m = {1, 2, NULL, (size_t)PTYPE_TEXT << MESSAGE_TYPE_SHIFT};
    say("pushed: %d, to nobody: %d", skynet_context_push(skynet_context_handle(third), &m),
        skynet_context_push(0x1000fff, &m));
    skynet_context_send(third, skynet_strdup("sent"), 4, 1, PTYPE_TEXT, 3);
    skynet_context_dispatchall(third);
    say("dispatched %d by hand", messages);
    pump();
    say("and %d later", messages - 2);
    CHECK(skynet_current_handle() != 1);
    return 0;
}
