// A search path without a place for the name, on which the reference exits: here
// the module is not found. Patterns beside it are searched.
// ctest: only=ours
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    char path[4096];
    snprintf(path, sizeof path, "./no/place.so;%s/?.so", argv[1]);
    driver_init_path(path, 1);
    launch_logger("sources");
    CHECK(skynet_module_query("noinit") == NULL);
    CHECK(skynet_module_query("nowhere") == NULL);
    CHECK(skynet_context_new("nowhere", NULL) == 0);
    say("not found");
    CHECK(skynet_context_new("noisy", "but others are") != 0);
    return 0;
}
