// 100,000 services start, answer once and exit; then memory is where it was.
// ctest: thread=4 logger=silent deadline=120
#include "ctest.h"

enum { TOGETHER = 50, WAVE = 1000, WARM = 10000, TOTAL = 100000 };

static size_t blocks, pages;

static size_t resident_pages(void) {
    size_t size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        if (fscanf(f, "%zu %zu", &size, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    return resident;
}

static int once(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)msg, (void)sz;
    skynet_send(context, 0, source, PTYPE_RESPONSE, session, NULL, 0);
    skynet_command(context, "EXIT", NULL);
    return 0;
}

static int launched, answered, goal;

static void launch_more(struct skynet_context *context) {
    for (; launched < goal && launched - answered < TOGETHER; launched++) {
        uint32_t child = skynet_queryname(context, skynet_command(context, "LAUNCH", "churn child"));
        CHECK(child != 0);
        CHECK(skynet_send(context, 0, child, PTYPE_TEXT, 1, "a message to be freed", 21) == 1);
    }
}

// Whether memory is as it was; a core may take its time to reclaim what is gone.
static bool as_before(void) {
    static double deadline;
    long more_blocks = (long)malloc_memory_block() - (long)blocks;
    long more_pages = (long)resident_pages() - (long)pages;
    if (more_blocks < 1000 && more_pages < 8192) // 32 MiB: tables by handle fill up
        return true;
    if (deadline == 0)
        deadline = seconds() + 20;
    if (seconds() > deadline)
        fail(__FILE__, __LINE__, "memory as before");
    fprintf(stderr, "%ld blocks, %ld pages more\n", more_blocks, more_pages);
    return false;
}

static int manage(struct skynet_context *context, void *ud, int type, int session,
                  uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)msg, (void)sz;
    if (source != 0 && session == 1) {
        // A child's answer. After each wave the logger's answer comes after its lines.
        answered++;
        if (answered == goal)
            skynet_sendname(context, 0, ".logger", PTYPE_CLIENT, 2, NULL, 0);
    } else {
        if (goal == WARM) {
            blocks = malloc_memory_block();
            pages = resident_pages();
            say("warm");
        } else if (goal == WARM + TOTAL) {
            say("%d services came and went", TOTAL);
        }
        if (goal >= WARM + TOTAL && as_before()) {
            say("memory is as before");
            skynet_command(context, "ABORT", NULL);
            return 0;
        }
        // If it is not yet, what other services leave behind moves it along.
        goal += WAVE;
    }
    launch_more(context);
    return 0;
}

int churn_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    bool child = strcmp(parm, "child") == 0;
    skynet_callback(context, NULL, child ? once : manage);
    if (!child)
        skynet_command(context, "TIMEOUT", "0");
    return 0;
}
