// A whole node in a main of one's own: skynet_start returns when it ends.
// ctest:
#include "ctest.h"
#include "skynet_env.h"
#include "skynet_imp.h"
#include "skynet_server.h"

int main(int argc, char **argv) {
    char path[4096];
    (void)argc;
    snprintf(path, sizeof path, "%s/?.so", argv[1]);
    skynet_globalinit();
    say("main's handle: %x", skynet_current_handle());
    skynet_initthread(THREAD_SOCKET);
    say("as another thread: %x", skynet_current_handle());
    skynet_initthread(THREAD_MAIN);
    skynet_env_init();
    struct skynet_config config = {
        .thread = 3,
        .harbor = 1,
        .profile = 0,
        .module_path = path,
        .bootstrap = "smoke   and its   arguments",
        .logservice = "ctlog",
    };
    skynet_start(&config);
    say("%d services", skynet_context_total());
    skynet_globalexit();
    return 0;
}
