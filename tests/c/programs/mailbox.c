// Mailboxes without services: first in first out, length, overload, release.
// ctest:
#include "skynet_mq.h"
#include "ctest.h"

static struct skynet_message numbered(int n) {
    struct skynet_message m = {.source = 1, .session = n, .data = NULL, .sz = 0};
    return m;
}

static void drop(struct skynet_message *m, void *ud) {
    int *count = ud;
    say("dropped %d", m->session);
    ++*count;
}

int main(void) {
    skynet_mq_init();
    CHECK(skynet_globalmq_pop() == NULL);

    // A new mailbox counts as queued until its service is launched.
    struct message_queue *q = skynet_mq_create(0x1000042);
    say("handle %x, length %d", skynet_mq_handle(q), skynet_mq_length(q));
    struct skynet_message m = numbered(1);
    skynet_mq_push(q, &m);
    CHECK(skynet_globalmq_pop() == NULL);
    skynet_globalmq_push(q);
    CHECK(skynet_globalmq_pop() == q);
    CHECK(skynet_mq_pop(q, &m) == 0);
    say("popped %d", m.session);
    CHECK(skynet_mq_pop(q, &m) == 1);

    // Empty and out of hand: the next push makes it runnable, once.
    for (int i = 0; i < 3; i++) {
        m = numbered(i);
        skynet_mq_push(q, &m);
    }
    CHECK(skynet_globalmq_pop() == q);
    CHECK(skynet_globalmq_pop() == NULL);
    say("length %d", skynet_mq_length(q));

    // First in, first out, while it grows and runs around.
    int next_in = 3, next_out = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 97; i++) {
            m = numbered(next_in++);
            skynet_mq_push(q, &m);
        }
        for (int i = 0; i < 60; i++) {
            CHECK(skynet_mq_pop(q, &m) == 0);
            CHECK(m.session == next_out++);
        }
    }
    say("in order, length %d", skynet_mq_length(q));
    say("overload %d", skynet_mq_overload(q));
    CHECK(skynet_mq_overload(q) == 0);

    // The warning's threshold doubles from 1024, and starts again once empty.
    while (skynet_mq_pop(q, &m) == 0)
        CHECK(m.session == next_out++);
    CHECK(skynet_globalmq_pop() == NULL);
    skynet_mq_overload(q);
    for (int burst = 0; burst < 2; burst++) {
        for (int i = 0; i < 5000; i++) {
            m = numbered(i);
            skynet_mq_push(q, &m);
            if (i % 1000 == 999) {
                CHECK(skynet_mq_pop(q, &m) == 0);
                say("at %d overload is %d", skynet_mq_length(q), skynet_mq_overload(q));
            }
        }
        while (skynet_mq_pop(q, &m) == 0)
            CHECK(skynet_mq_overload(q) == 0);
        CHECK(skynet_globalmq_pop() == q);
    }

    // Marked, it is queued again, to be released with what is left in it.
    for (int i = 100; i < 103; i++) {
        m = numbered(i);
        skynet_mq_push(q, &m);
    }
    CHECK(skynet_globalmq_pop() == q);
    int dropped = 0;
    skynet_mq_release(q, drop, &dropped);
    say("not marked: dropped %d", dropped);
    CHECK(skynet_globalmq_pop() == q);
    skynet_mq_mark_release(q);
    skynet_mq_release(q, drop, &dropped);
    say("marked: dropped %d", dropped);

    q = skynet_mq_create(7);
    skynet_globalmq_push(q);
    CHECK(skynet_globalmq_pop() == q);
    CHECK(skynet_mq_pop(q, &m) == 1);
    skynet_mq_mark_release(q);
    CHECK(skynet_globalmq_pop() == q);
    skynet_mq_release(q, drop, &dropped);
    CHECK(skynet_globalmq_pop() == NULL);
    say("an idle one is queued by its mark");
    return 0;
}
