// Timeouts of a running node: none early, none much too late, in order of time.
// ctest: logger=silent
// ctest: thread=1 logger=silent
#include "ctest.h"

enum { TIMERS = 2000, LONGEST = 150 };

static uint64_t start;
static int due[TIMERS + 1], fired;

static int timeout(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    static int last;
    (void)ud;
    CHECK(type == PTYPE_RESPONSE && source == 0 && msg == NULL && sz == 0);
    CHECK(session >= 1 && session <= TIMERS && due[session] >= 0);
    // The clock may have gone on by one while they were armed.
    CHECK(due[session] >= last - 1);
    if (due[session] > last)
        last = due[session];
    int64_t late = (int64_t)(skynet_now() - start) - due[session];
    CHECK(late >= -1 && late < 200);
    due[session] = -1;
    if (++fired == TIMERS) {
        say("%d timeouts, in order and in time", fired);
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int clock_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, timeout);
    start = skynet_now();
    unsigned random = 12345;
    for (int i = 1; i <= TIMERS; i++) {
        char text[16];
        random = random * 1103515245 + 12345;
        due[i] = (int)(random >> 16) % LONGEST + 1;
        snprintf(text, sizeof text, "%d", due[i]);
        CHECK(atoi(skynet_command(context, "TIMEOUT", text)) == i);
    }
    return 0;
}
