// The text commands that are not about names or log files.
// ctest:
#include "driver.h"

static struct skynet_context *alice;

static void command(const char *name, const char *parm) {
    const char *result = skynet_command(alice, name, parm);
    say("%s %s -> %s", name, parm ? parm : "(none)", result ? result : "nothing");
    pump();
}

static int burn(struct skynet_context *context, void *ud, int type, int session,
                uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    uint64_t start = skynet_thread_time();
    while (skynet_thread_time() - start < 60000) {}
    double time = atof(skynet_command(context, "STAT", "time"));
    say("time while it runs: %s", time >= 0.057 && time < 0.6 ? "right" : "wrong");
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    // Handle 1 is the logger's to be: until it has its name a core may log more than
    // the reference does.
    struct skynet_context *logger = launch("ctlog", "errors");
    alice = launch_printer("alice");
    pump();

    command("NONSENSE", "x");
    command("stat", "mqlen");
    say("-- environment");
    command("GETENV", "absent");
    command("SETENV", "key a value with spaces");
    command("GETENV", "key");
    command("SETENV", "nothing");
    command("GETENV", "nothing");
    command("SETENV", "empty ");
    command("GETENV", "empty");
    CHECK(strtoul(skynet_command(alice, "STARTTIME", NULL), NULL, 10) == skynet_starttime());

    say("-- timeouts");
    command("TIMEOUT", "0");
    command("TIMEOUT", "-1");

    say("-- statistics");
    for (int i = 0; i < 3; i++)
        skynet_send(alice, 0, 0x1000002, PTYPE_TEXT, 0, NULL, 0);
    command("STAT", "mqlen");
    command("STAT", "mqlen");
    command("STAT", "message");
    command("STAT", "endless");
    skynet_context_endless(0x1000002);
    command("STAT", "endless");
    command("STAT", "endless");
    command("STAT", "nothing");
    skynet_callback(alice, NULL, burn);
    double before = atof(skynet_command(alice, "STAT", "cpu"));
    skynet_send(alice, 0, 0x1000002, PTYPE_TEXT, 0, NULL, 0);
    pump();
    double cost = atof(skynet_command(alice, "STAT", "cpu")) - before;
    say("cpu: %s", cost >= 0.057 && cost < 0.6 ? "right" : "wrong");
    command("STAT", "message");
    skynet_callback(alice, "alice", print_message);

    say("-- monitor");
    command("MONITOR", NULL);
    command("MONITOR", ":1000002");
    command("MONITOR", "");
    CHECK(skynet_context_new("blank", NULL) == 0x1000003);
    command("KILL", ":1000003");
    struct skynet_context *exiting = launch("blank", NULL);
    CHECK(skynet_command(exiting, "EXIT", NULL) == NULL);
    CHECK(skynet_handle_grab(skynet_context_handle(exiting)) == NULL);
    // A service that is gone may still run code, in which this is no error.
    CHECK(skynet_command(exiting, "TIMEOUT", "0") != NULL);
    skynet_context_release(exiting);
    pump();
    command("MONITOR", ".nobody");
    command("MONITOR", NULL);

    say("-- launch, signal, kill");
    const char *result = skynet_command(alice, "LAUNCH", "noisy with  all of this \nand not this");
    CHECK(result != NULL && strlen(result) == 9);
    char noisy[32], parm[64];
    strcpy(noisy, result);
    pump();
    static const char *const signals[] = {"", " 5", " 0x10", " -1"};
    for (int i = 0; i < 4; i++) {
        snprintf(parm, sizeof parm, "%s%s", noisy, signals[i]);
        CHECK(skynet_command(alice, "SIGNAL", parm) == NULL);
    }
    command("SIGNAL", ":1000999 1");
    CHECK(skynet_handle_namehandle(skynet_queryname(alice, noisy), "noisy") != NULL);
    CHECK(skynet_command(alice, "KILL", ".noisy") == NULL);
    CHECK(skynet_command(alice, "LAUNCH", "noisy") != NULL);
    CHECK(skynet_command(alice, "LAUNCH", "noisy\tafter a tab") != NULL);
    say("%d services", skynet_context_total());
    command("LAUNCH", "nowhere");
    command("KILL", ".nobody");

    // What needs no context works without one.
    say("-- without a context");
    say("GETENV -> %s", skynet_command(NULL, "GETENV", "key"));
    CHECK(skynet_command(NULL, "SETENV", "by nobody") == NULL);
    command("GETENV", "by");
    CHECK(skynet_command(NULL, "NONSENSE", "x") == NULL);
    CHECK(skynet_command(NULL, "QUERY", ".nobody") == NULL);
    const char *name = skynet_command(NULL, "NAME", ".mine :1000002");
    say("NAME -> %s", name);
    CHECK(skynet_command(NULL, "MONITOR", ":1000002") == NULL);
    struct skynet_context *victim = launch("noisy", "named by nobody");
    snprintf(parm, sizeof parm, ":%x 7", skynet_context_handle(victim));
    CHECK(skynet_command(NULL, "SIGNAL", parm) == NULL);
    CHECK(skynet_command(NULL, "LOGOFF", parm) == NULL);
    CHECK(skynet_command(NULL, "KILL", parm) == NULL);
    skynet_context_release(victim);
    pump();
    CHECK(skynet_command(NULL, "MONITOR", ".nobody") == NULL);

    say("-- logged");
    CHECK(skynet_handle_namehandle(skynet_context_handle(logger), "logger") != NULL);
    command("LAUNCH", "failing");
    command("KILL", "nobody");
    command("SIGNAL", "nobody 1");

    say("-- abort");
    launch("noisy", "last");
    CHECK(skynet_command(NULL, "ABORT", NULL) == NULL);
    CHECK(skynet_handle_grab(0x1000002) == NULL);
    say("aborted");
    return 0;
}
