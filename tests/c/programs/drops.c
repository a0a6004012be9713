// A service that goes away answers what is queued for it with PTYPE_ERROR.
// ctest:
#include "driver.h"

static uint32_t gone;

// What the sender hears of a service that is no more.
static int answered(struct skynet_context *context, void *ud, int type, int session,
                    uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)ud;
    CHECK(type == PTYPE_ERROR && msg == NULL && sz == 0);
    CHECK(gone == 0 || source == gone);
    say("error for session %d", session);
    return 0;
}

static int exits_at_once(struct skynet_context *context, void *ud, int type, int session,
                         uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)source, (void)msg, (void)sz;
    say("exit at session %d", session);
    skynet_command(context, "EXIT", NULL);
    return 0;
}

static void queue_three(struct skynet_context *sender, uint32_t to) {
    CHECK(skynet_send(sender, 0, to, PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, "asked", 5) > 0);
    CHECK(skynet_send(sender, 0, to, PTYPE_TEXT, 0, "told", 4) == 0);
    CHECK(skynet_send(sender, 0, to, PTYPE_RESPONSE, 99, NULL, 0) == 99);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    launch_logger("silent");
    struct skynet_context *sender = launch("blank", NULL);
    skynet_callback(sender, NULL, answered);
    pump();

    say("-- killed");
    gone = skynet_context_new("blank", NULL);
    pump();
    queue_three(sender, gone);
    skynet_command(sender, "KILL", ":1000003");
    CHECK(skynet_send(sender, 0, gone, PTYPE_TEXT, 0, "late", 4) == -1);
    pump();

    say("-- exits");
    struct skynet_context *exiting = launch("blank", NULL);
    skynet_callback(exiting, NULL, exits_at_once);
    pump();
    gone = skynet_context_handle(exiting);
    queue_three(sender, gone);
    skynet_context_release(exiting);
    pump();

    say("-- launched with messages queued");
    uint32_t early = skynet_queryname(sender, skynet_command(sender, "LAUNCH", "early"));
    CHECK(skynet_send(sender, 0, early, PTYPE_CLIENT, 7, "after", 5) == 7);
    pump();

    say("-- fails to launch");
    gone = 0; // its handle is nobody's business
    CHECK(skynet_command(sender, "LAUNCH", "failing :1000002") == NULL);
    pump();
    CHECK(skynet_context_new("failing", NULL) == 0);
    pump();
    say("%d services", skynet_context_total());
    return 0;
}
