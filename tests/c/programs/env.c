// The environment, and skynet_strdup as an exported function: no header of the
// core is included that would bring the inline one.
// ctest:
#include "skynet_env.h"
#include "ctest.h"

extern char *skynet_strdup(const char *);

int main(void) {
    skynet_env_init();
    CHECK(skynet_getenv("absent") == NULL);
    char key[] = "key", value[] = "value";
    skynet_setenv(key, value);
    memset(key, '-', 3);
    memset(value, '-', 5);
    const char *got = skynet_getenv("key");
    say("key is %s", got);
    skynet_setenv("empty", "");
    say("empty is \"%s\"", skynet_getenv("empty"));
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "number%d", i);
        skynet_setenv(name, name + 6);
    }
    say("number999 is %s", skynet_getenv("number999"));
    say("what getenv returned stays: %s", got);

    char *copy = skynet_strdup(got);
    CHECK(copy != got);
    say("copied: %s", copy);
    skynet_free(copy);
    return 0;
}
