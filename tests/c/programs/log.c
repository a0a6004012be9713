// LOGON and LOGOFF, and the log file's functions by themselves.
// ctest:
#define _GNU_SOURCE // strptime
#include "driver.h"
#include "skynet_log.h"

// Prints a log file with its times taken out.
static void show(const char *name) {
    char line[512];
    FILE *f = fopen(name, "r");
    CHECK(f != NULL);
    say("%s:", name);
    while (fgets(line, sizeof line, f)) {
        unsigned source, time;
        int type, session, at = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "open time: %u %n", &time, &at) == 1 && at > 0) {
            struct tm tm;
            CHECK(strptime(line + at, "%a %b %d %H:%M:%S %Y", &tm) != NULL);
            say("  open time: T DATE");
        } else if (sscanf(line, ":%x %d %d %u %n", &source, &type, &session, &time, &at) == 4 && at > 0) {
            say("  :%08x %d %d T %s", source, type, session, line + at);
        } else if (sscanf(line, "close time: %u", &time) == 1) {
            say("  close time: T");
        } else {
            say("  %s", line);
        }
    }
    fclose(f);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    CHECK(chdir(argv[2]) == 0);
    // Handle 1 is the logger's to be: until it has its name a core may log more than
    // the reference does.
    struct skynet_context *logger = launch("ctlog", NULL);
    struct skynet_context *service = launch_printer("service"), *other = launch_printer("other");
    pump();

    CHECK(skynet_log_open(service, 0x1000002) == NULL);
    CHECK(skynet_command(other, "LOGON", ":1000002") == NULL);
    say("no logpath, no file");
    skynet_setenv("logpath", ".");
    skynet_command(other, "LOGON", ":1000999");
    skynet_command(other, "LOGOFF", ".nobody");
    CHECK(skynet_handle_namehandle(skynet_context_handle(logger), "logger") != NULL);

    skynet_command(other, "LOGON", ":1000002");
    skynet_command(other, "LOGON", ":1000002");
    pump();
    skynet_send(other, 0, 0x1000002, PTYPE_TEXT, 3, "\x01\x7fhello", 7);
    skynet_send(other, 0, 0x1000002, PTYPE_RESPONSE, 4, NULL, 0);
    pump();
    skynet_command(other, "LOGOFF", ":1000002");
    skynet_command(other, "LOGOFF", ":1000002");
    skynet_send(other, 0, 0x1000002, PTYPE_TEXT, 5, "unlogged", 8);
    pump();
    show("01000002.log");

    // A file is appended to, and closed with its service.
    CHECK(skynet_handle_namehandle(0x1000002, "service") != NULL);
    skynet_command(other, "LOGON", ".service");
    skynet_send(other, 0, 0x1000002, PTYPE_TEXT, 6, "again", 5);
    pump();
    retire(service);
    pump();
    show("01000002.log");

    FILE *f = skynet_log_open(other, 0xabc);
    CHECK(f != NULL);
    char bytes[] = {0, 127, (char)128};
    skynet_log_output(f, 0x1000009, PTYPE_CLIENT, -1, bytes, sizeof bytes);
    skynet_log_close(other, f, 0xabc);
    pump();
    show("00000abc.log");

    skynet_command(other, "LOGON", "what");
    pump();
    return 0;
}
