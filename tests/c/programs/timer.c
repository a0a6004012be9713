// Clocks and timeouts, driven by hand.
// ctest:
#include "driver.h"

static uint64_t armed_at;
static int due[6];

static int timeout(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)context;
    int *left = ud;
    CHECK(type == PTYPE_RESPONSE && source == 0 && msg == NULL && sz == 0);
    say("session %d", session);
    CHECK(skynet_now() - armed_at >= (uint64_t)due[session]);
    --*left;
    return 0;
}

static void wait_for(int *left) {
    double deadline = seconds() + 20;
    while (*left > 0) {
        CHECK(seconds() < deadline);
        skynet_updatetime();
        pump();
        usleep(1000);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    time_t wall = time(NULL);
    long off = (long)skynet_starttime() + (long)(skynet_now() / 100) - (long)wall;
    CHECK(off >= -1 && off <= 1);
    uint64_t cpu = skynet_thread_time();
    while (skynet_thread_time() - cpu < 2000) {}
    say("clocks run");

    int left = 5;
    struct skynet_context *service = launch("blank", NULL);
    uint32_t handle = skynet_context_handle(service);
    skynet_callback(service, &left, timeout);
    skynet_updatetime();
    armed_at = skynet_now();
    static const int times[] = {0, 12, 3, 300, 3, 0};
    for (int i = 1; i <= 5; i++) {
        due[i] = times[i];
        CHECK(skynet_timeout(handle, times[i], i) == i);
    }
    wait_for(&left);

    left = 1;
    say("in the past: %d", skynet_timeout(handle, -10, 1));
    due[1] = 0;
    wait_for(&left);
    say("to nobody, at once: %d", skynet_timeout(handle + 1, 0, 9));
    say("to nobody, later: %d", skynet_timeout(handle + 1, 1, 9));
    say("to handle 0, at once: %d", skynet_timeout(0, 0, 9));
    say("to handle 0, later: %d", skynet_timeout(0, 1, 9));

    // A service that is gone when the time comes does no harm.
    skynet_updatetime();
    uint64_t now = skynet_now();
    skynet_timeout(handle, 2, 3);
    retire(service);
    while (skynet_now() < now + 4) {
        skynet_updatetime();
        pump();
        usleep(1000);
    }
    say("%d services", skynet_context_total());
    return 0;
}
