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
    struct skynet_context *alice = launch_printer("alice"), *bob = launch_printer("bob");
    pump();

    // Before there is a logger: a core may log more about these than the reference.
    command(alice, "REG", NULL);
    command(alice, "REG", "");
    command(alice, "REG", ".alice");
    command(alice, "REG", ".alice");
    command(bob, "REG", ".alice");
    command(bob, "REG", ".a.longer.name-with_everything");
    command(bob, "QUERY", ".alice");
    command(bob, "QUERY", ".nobody");
    command(bob, "QUERY", "alice");
    command(bob, "QUERY", ":ab000001");
    command(alice, "NAME", ".bob :ab000002");
    command(alice, "NAME", ".bob :ab000001");
    command(alice, "NAME", ".zero :0");
    command(alice, "NAME", ".text ab000002");
    command(alice, "NAME", ".ahead :ab000077");
    command(alice, "QUERY", ".bob");
    command(alice, "QUERY", ".ahead");
    say("queryname %x %x %x", skynet_queryname(alice, ":ab000002"), skynet_queryname(alice, ".bob"),
        skynet_queryname(alice, ".nobody"));
    retire(bob);
    command(alice, "QUERY", ".bob");
    command(alice, "REG", ".bob");
    command(alice, "QUERY", ".bob");

    // Names without a dot are global: not for C.
    launch_logger(NULL);
    command(alice, "REG", "GLOBAL");
    command(alice, "NAME", "GLOBAL :ab000001");
    say("queryname of a global name: %x", skynet_queryname(alice, "GLOBAL"));
    pump();
    return 0;
}
