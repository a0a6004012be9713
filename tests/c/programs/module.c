// Modules: search path, the four functions, what is missing.
// ctest:
#include "driver.h"

#include <sys/stat.h>

static void copy_file(const char *from, const char *to) {
    char buffer[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    CHECK(in != NULL && out != NULL);
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
        CHECK(fwrite(buffer, 1, n, out) == n);
    fclose(in);
    CHECK(fclose(out) == 0);
}

int main(int argc, char **argv) {
    (void)argc;
    // Several patterns, one of them with a prefix, one with nothing in it.
    char path[4096], from[4096], to[4096];
    snprintf(path, sizeof path, "%s/none/?.so;;%s/lib?.so;%s/?.so", argv[2], argv[2], argv[1]);
    driver_init_path(path, 1);
    snprintf(from, sizeof from, "%s/blank.so", argv[1]);
    snprintf(to, sizeof to, "%s/libdotted.blank.so", argv[2]);
    copy_file(from, to);

    struct skynet_module *noisy = skynet_module_query("noisy");
    CHECK(noisy != NULL);
    say("name %s, functions %d%d%d%d", noisy->name, noisy->create != NULL, noisy->init != NULL,
        noisy->release != NULL, noisy->signal != NULL);
    CHECK(skynet_module_query("noisy") == noisy);
    void *instance = skynet_module_instance_create(noisy);
    say("init gave %d", skynet_module_instance_init(noisy, instance, NULL, "by hand"));
    skynet_module_instance_signal(noisy, instance, 4);
    skynet_module_instance_release(noisy, instance);

    // Only _init is needed.
    struct skynet_module *blank = skynet_module_query("blank");
    CHECK(blank != NULL);
    say("functions %d%d%d%d", blank->create != NULL, blank->init != NULL, blank->release != NULL,
        blank->signal != NULL);
    instance = skynet_module_instance_create(blank);
    say("without _create an instance is %lld", (long long)(intptr_t)instance);
    CHECK(skynet_module_instance_init(blank, instance, NULL, NULL) == 0);
    skynet_module_instance_signal(blank, instance, 1);
    skynet_module_instance_release(blank, instance);

    // After the last dot of a module's name its functions' prefix begins.
    struct skynet_module *dotted = skynet_module_query("dotted.blank");
    CHECK(dotted != NULL && dotted != blank);
    say("name %s", dotted->name);

    CHECK(skynet_module_query("noinit") == NULL);
    CHECK(skynet_module_query("nowhere") == NULL);
    CHECK(skynet_context_new("nowhere", NULL) == 0);
    CHECK(skynet_context_new("noinit", NULL) == 0);
    say("%d services", skynet_context_total());
    return 0;
}
