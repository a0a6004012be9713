// What skynet_send and skynet_sendname return and deliver.
// ctest:
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    launch_logger(NULL);
    struct skynet_context *alice = launch_printer("alice"), *bob = launch_printer("bob");
    uint32_t to = skynet_context_handle(bob);
    pump();

    say("-- sessions");
    for (int i = 1; i <= 3; i++)
        CHECK(skynet_send(alice, 0, to, PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, "new", 3) == i);
    CHECK(skynet_send(alice, 0, to, PTYPE_RESPONSE, 77, "given", 5) == 77);
    CHECK(skynet_send(alice, 0, to, PTYPE_TEXT, -5, "negative", 8) == -5);
    pump();
    CHECK(skynet_send(bob, 0, skynet_context_handle(alice), PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, "its own", 7) == 1);
    CHECK(skynet_context_newsession(alice) == 4);
    pump();

    say("-- sources and types");
    skynet_send(alice, 0x1000abc, to, PTYPE_TEXT, 0, "in a name", 9);
    skynet_send(NULL, 0x1000abd, to, PTYPE_TEXT, 0, "no context", 10);
    for (int type = 0; type < 16; type++)
        skynet_send(alice, 0, to, type, 0, NULL, 0);
    skynet_send(alice, 0, to, 255, 0, "high", 4);
    skynet_send(alice, 0, to, PTYPE_TEXT, 0, "", 0);
    skynet_send(alice, 0, to, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 8, NULL, 0);
    pump();

    say("-- refused");
    CHECK(skynet_send(alice, 0, to, PTYPE_TEXT, 0, "", (size_t)1 << 56) == -2);
    CHECK(skynet_send(alice, 0, to, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 0, skynet_strdup("x"), SIZE_MAX) == -2);
    CHECK(skynet_send(alice, 0, 0x1000999, PTYPE_TEXT, 0, "nobody", 6) == -1);
    CHECK(skynet_send(alice, 0, 0, PTYPE_TEXT, 0, "zero", 4) == -1);
    pump();
    // Nothing to nobody costs nothing and says what the session would be.
    CHECK(skynet_send(alice, 0, 0, PTYPE_TEXT, 6, NULL, 0) == 6);
    CHECK(skynet_send(alice, 0, 0, PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, NULL, 0) == 5);
    // The largest size there is; nothing is copied where there is no payload.
    CHECK(skynet_send(alice, 0, to, PTYPE_TEXT, 0, NULL, 0) == 0);
    pump();

    say("-- by name");
    CHECK(skynet_handle_namehandle(to, "bob") != NULL);
    CHECK(skynet_sendname(alice, 0, ".bob", PTYPE_TEXT, 21, "local", 5) == 21);
    CHECK(skynet_sendname(alice, 0, ":1000003", PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, "hex", 3) == 6);
    CHECK(skynet_sendname(alice, 0, ".nobody", PTYPE_TEXT, 21, "lost", 4) == -1);
    pump();
    CHECK(skynet_sendname(alice, 0, ":", PTYPE_TEXT, 21, "lost", 4) == -1);
    pump();
    return 0;
}
