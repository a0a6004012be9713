// A whole node in a main of one's own: skynet_start returns when it ends. After the
// two directories there may be threads, harbor, logger's argument, bootstrap line.
// ctest:
#include "ctest.h"
#include "skynet_env.h"
#include "skynet_imp.h"
#include "skynet_server.h"

#include <pthread.h>

static void *uninitialised(void *none) {
    CHECK(skynet_current_handle() == 0);
    return none;
}

int main(int argc, char **argv) {
    char path[4096];
    snprintf(path, sizeof path, "%s/?.so", argv[1]);
    struct skynet_config config = {
        .thread = 3,
        .harbor = 1,
        .profile = 1,
        .module_path = path,
        .bootstrap = "smoke   and its   arguments",
        .logservice = "ctlog",
    };
    bool quiet = argc == 7;
    if (quiet) {
        config.thread = atoi(argv[3]);
        config.harbor = atoi(argv[4]);
        config.logger = argv[5][0] ? argv[5] : NULL;
        config.bootstrap = argv[6];
    }
    skynet_globalinit();
    CHECK(skynet_current_handle() == (uint32_t)-THREAD_MAIN);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, uninitialised, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    skynet_initthread(THREAD_SOCKET);
    CHECK(skynet_current_handle() == (uint32_t)-THREAD_SOCKET);
    skynet_initthread(THREAD_MAIN);
    skynet_env_init();
    skynet_setenv("scratch", argv[2]);
    skynet_start(&config);
    if (!quiet)
        say("%d services", skynet_context_total());
    skynet_globalexit();
    return 0;
}
