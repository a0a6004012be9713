// Bad input on which the reference aborts: here it is an error, and a log line that
// names what was wrong.
// ctest: only=ours
#include "driver.h"

static char lines[65536];

static int collect(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)ud, (void)type, (void)session, (void)source;
    size_t used = strlen(lines);
    CHECK(used + sz + 2 < sizeof lines);
    memcpy(lines + used, msg, sz);
    strcpy(lines + used + sz, "\n");
    return 0;
}

// Whether the lines logged since the last call name all of this.
static bool logged(const char *what, const char *where) {
    pump();
    bool found = strstr(lines, what) != NULL && strstr(lines, where) != NULL;
    if (!found)
        fprintf(stderr, "no \"%s\" and \"%s\" in:\n%s", what, where, lines);
    lines[0] = 0;
    return found;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    struct skynet_context *logger = launch("blank", NULL);
    skynet_callback(logger, NULL, collect);
    skynet_handle_namehandle(skynet_context_handle(logger), "logger");
    struct skynet_context *service = launch("blank", NULL);
    uint32_t self = skynet_context_handle(service);
    CHECK(logged("LAUNCH", "blank"));

    skynet_setenv("twice", "first");
    skynet_setenv("twice", "second");
    CHECK(logged("twice", ""));
    say("a key set twice keeps its value: %s", skynet_getenv("twice"));
    CHECK(skynet_command(service, "SETENV", "twice third") == NULL);
    CHECK(logged("twice", "") && strcmp(skynet_getenv("twice"), "first") == 0);

    static const char *const commands[] = {"TIMEOUT", "QUERY",  "NAME", "KILL",  "LAUNCH", "GETENV",
                                           "SETENV",  "STAT", "LOGON", "LOGOFF", "SIGNAL"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        CHECK(skynet_command(service, commands[i], NULL) == NULL);
        CHECK(logged(commands[i], ""));
    }
    CHECK(skynet_command(service, "NAME", ".alone") == NULL);
    CHECK(skynet_command(service, "LAUNCH", "") == NULL);
    say("commands without their argument");
    pump();
    lines[0] = 0;

    size_t before = malloc_memory_block();
    int allocating = PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION;
    for (int i = 0; i < 100; i++) {
        CHECK(skynet_send(service, 0, self, allocating, 5, "copied", 6) == -1);
        CHECK(logged("session", ""));
        CHECK(skynet_send(service, 0, self, allocating | PTYPE_TAG_DONTCOPY, 5, strdup("given"), 5) == -1);
        CHECK(logged("session", ""));
    }
    CHECK(skynet_context_newsession(service) == 1);
    say_leaks("a session where one is to be allocated", before, 100);

    for (int i = 0; i < 100; i++) {
        CHECK(skynet_send(service, 0, 0x2000001, PTYPE_TEXT, 1, "copied", 6) < 0);
        CHECK(logged("harbor", "2000001"));
        CHECK(skynet_send(service, 0, 0x2000001, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 1, strdup("given"), 5) < 0);
        CHECK(logged("harbor", "2000001"));
        CHECK(skynet_sendname(service, 0, "GLOBAL", PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 1, strdup("given"), 5) < 0);
        CHECK(logged("harbor", "GLOBAL"));
        struct remote_message *r = skynet_calloc(1, sizeof *r);
        r->destination.handle = 0x2000001;
        r->message = strdup("by hand");
        r->sz = 7;
        skynet_harbor_send(r, self, 1);
        CHECK(logged("harbor", "2000001"));
    }
    say_leaks("no harbor service", before, 100);

    // The harbor service's own message types cannot be sent to other nodes.
    struct skynet_context *harbor = launch("blank", NULL);
    skynet_harbor_start(harbor);
    pump();
    lines[0] = 0;
    CHECK(skynet_send(service, 0, 0x2000001, PTYPE_SYSTEM, 1, "system", 6) < 0);
    CHECK(logged("2000001", ""));
    CHECK(skynet_send(service, 0, 0x2000001, PTYPE_HARBOR, 1, "harbor", 6) < 0);
    CHECK(logged("2000001", ""));
    skynet_harbor_exit();
    say("reserved types");
    return 0;
}
