// REG, NAME, QUERY and skynet_queryname.
// ctest:
#include "driver.h"

static void command(struct skynet_context *context, const char *name, const char *parm) {
    const char *result = skynet_command(context, name, parm);
    say("%s %s -> %s", name, parm ? parm : "(none)", result ? result : "nothing");
    pump();
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0xab);
    launch_logger(NULL);
    struct skynet_context *alice = launch_printer("alice"), *bob = launch_printer("bob");
    pump();

    command(alice, "REG", NULL);
    command(alice, "REG", "");
    command(alice, "REG", ".alice");
    command(alice, "REG", ".alice");
    command(bob, "REG", ".alice");
    command(bob, "REG", ".a.longer.name-with_everything");
    command(bob, "REG", "GLOBAL");
    command(bob, "QUERY", ".alice");
    command(bob, "QUERY", ".nobody");
    command(bob, "QUERY", "alice");
    command(bob, "QUERY", ":ab000002");

    command(alice, "NAME", ".bob :ab000003");
    command(alice, "NAME", ".bob :ab000002");
    command(alice, "NAME", ".zero :0");
    command(alice, "NAME", ".text ab000003");
    command(alice, "NAME", "GLOBAL :ab000003");
    command(alice, "NAME", ".ahead :ab000077");
    command(alice, "QUERY", ".bob");
    command(alice, "QUERY", ".ahead");

    say("queryname %x %x %x", skynet_queryname(alice, ":ab000003"), skynet_queryname(alice, ".bob"),
        skynet_queryname(alice, ".nobody"));
    say("queryname of a global name: %x", skynet_queryname(alice, "GLOBAL"));
    pump();

    retire(bob);
    pump();
    command(alice, "QUERY", ".bob");
    command(alice, "REG", ".bob");
    command(alice, "QUERY", ".bob");
    return 0;
}
