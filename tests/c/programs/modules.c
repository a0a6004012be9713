// More modules than the reference has room for.
// ctest: only=ours
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    char path[4096], target[4096], name[16];
    snprintf(path, sizeof path, "%s/?.so", argv[2]);
    driver_init_path(path, 1);
    snprintf(target, sizeof target, "%s/blank.so", argv[1]);
    struct skynet_module *first = NULL;
    for (int i = 0; i < 200; i++) {
        // After the last dot a module's functions' prefix begins.
        snprintf(path, sizeof path, "%s/m%d.blank.so", argv[2], i);
        CHECK(symlink(target, path) == 0);
        snprintf(name, sizeof name, "m%d.blank", i);
        struct skynet_module *module = skynet_module_query(name);
        CHECK(module != NULL && module->init != NULL && strcmp(module->name, name) == 0);
        CHECK(skynet_context_new(name, NULL) != 0);
        if (i == 0)
            first = module;
    }
    CHECK(skynet_module_query("m0.blank") == first && strcmp(first->name, "m0.blank") == 0);
    say("%d services of as many modules", skynet_context_total());
    return 0;
}
