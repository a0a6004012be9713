// A driver loop in C, its steps counted: a worker's weight says how much of a
// mailbox one step takes.
// ctest:
#include "driver.h"

static int taken;

static int take(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    CHECK(skynet_current_handle() == skynet_context_handle(context));
    taken++;
    return 0;
}

static void fill(struct skynet_context *service, int messages) {
    for (int i = 0; i < messages; i++)
        skynet_send(service, 0, skynet_context_handle(service), PTYPE_TEXT, 0, NULL, 0);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    struct skynet_monitor *monitor = skynet_monitor_new();
    CHECK(skynet_context_message_dispatch(monitor, NULL, -1) == NULL);
    struct skynet_context *service = launch("blank", NULL);
    skynet_callback(service, NULL, take);
    pump();

    for (int weight = -1; weight <= 3; weight++) {
        fill(service, 64);
        struct message_queue *queue = NULL;
        int steps = 0;
        char line[256] = "";
        do {
            taken = 0;
            queue = skynet_context_message_dispatch(monitor, queue, weight);
            // The reference takes one step more, which finds the mailbox empty.
            if (taken > 0 && steps++ < 6)
                snprintf(line + strlen(line), 16, " %d", taken);
        } while (queue != NULL);
        say("weight %d:%s in %d steps", weight, line, steps);
    }

    // Two busy mailboxes take turns; a mailbox in hand comes back.
    struct skynet_context *other = launch("blank", NULL);
    skynet_callback(other, NULL, take);
    pump();
    fill(service, 2);
    fill(other, 1);
    struct message_queue *first = skynet_context_message_dispatch(monitor, NULL, -1);
    CHECK(first != NULL && skynet_mq_handle(first) == skynet_context_handle(other));
    struct message_queue *second = skynet_context_message_dispatch(monitor, first, -1);
    CHECK(second != NULL && skynet_mq_handle(second) == skynet_context_handle(service));
    while (second != NULL)
        second = skynet_context_message_dispatch(monitor, second, -1);
    say("they take turns");

    // A mailbox that was marked and has no service: what is in it is answered, and it
    // is freed.
    struct skynet_context *sender = launch_printer("sender");
    pump();
    size_t blocks = malloc_memory_block();
    for (int i = 0; i < 100; i++) {
        struct message_queue *orphan = skynet_mq_create(0x1000777);
        struct skynet_message m = {
            .source = i < 98 ? 0 : skynet_context_handle(sender),
            .session = i,
            .data = skynet_strdup("data"),
            .sz = 4 | (size_t)PTYPE_TEXT << MESSAGE_TYPE_SHIFT,
        };
        skynet_mq_push(orphan, &m);
        skynet_globalmq_push(orphan);
        skynet_mq_mark_release(orphan);
        pump();
    }
    say_leaks("no service", blocks, 100);

    // Without a callback messages are freed.
    size_t before = malloc_memory_block();
    skynet_callback(service, NULL, NULL);
    for (int i = 0; i < 100; i++) {
        skynet_send(service, 0, skynet_context_handle(service), PTYPE_TEXT, 0, "unread", 6);
        pump();
    }
    say_leaks("no callback", before, 100);
    say("length %s", skynet_command(service, "STAT", "mqlen"));
    skynet_monitor_delete(monitor);
    return 0;
}
