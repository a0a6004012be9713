// The stock logger with a file: what it writes, and that PTYPE_SYSTEM, or SIGHUP to
// the process, makes it open the file anew.
// ctest: logservice=logger logger=$SCRATCH/node.log
#include "ctest.h"

#include <signal.h>

static char file[4096], moved[4096];

// Waits for a line that ends in `end`; prints it without its time.
static void expect(const char *name, const char *end) {
    double deadline = seconds() + 20;
    for (;;) {
        char line[512];
        FILE *f = fopen(name, "r");
        while (f != NULL && fgets(line, sizeof line, f) != NULL) {
            size_t length = strcspn(line, "\n"), tail = strlen(end);
            if (line[length] != '\n' || length < tail || memcmp(line + length - tail, end, tail))
                continue;
            line[length] = 0;
            int day, month, year, hour, minute, second, hundredth, at = 0;
            CHECK(sscanf(line, "%2d/%2d/%2d %2d:%2d:%2d.%2d %n", &day, &month, &year, &hour, &minute,
                         &second, &hundredth, &at) == 7);
            CHECK(at == 21);
            say("%s", line + at);
            fclose(f);
            return;
        }
        if (f != NULL)
            fclose(f);
        CHECK(seconds() < deadline);
        usleep(2000);
    }
}

static int work(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    const char *scratch = skynet_command(context, "GETENV", "scratch");
    snprintf(file, sizeof file, "%s/node.log", scratch);
    snprintf(moved, sizeof moved, "%s/moved.log", scratch);
    expect(file, "LAUNCH logfile ");
    skynet_error(context, "before");
    expect(file, "before");

    CHECK(rename(file, moved) == 0);
    skynet_error(context, "still the old file");
    expect(moved, "still the old file");
    skynet_sendname(context, 0, ".logger", PTYPE_SYSTEM, 0, NULL, 0);
    skynet_error(context, "a new file");
    expect(file, "a new file");

    CHECK(rename(file, moved) == 0);
    CHECK(kill(getpid(), SIGHUP) == 0);
    double deadline = seconds() + 20;
    while (access(file, F_OK) != 0) {
        CHECK(seconds() < deadline);
        usleep(2000);
    }
    skynet_error(context, "after SIGHUP");
    expect(file, "after SIGHUP");
    skynet_command(context, "ABORT", NULL);
    return 0;
}

int logfile_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, work);
    skynet_command(context, "TIMEOUT", "1");
    return 0;
}
