// skynet_error's formats and lengths.
// ctest:
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    struct skynet_context *service = launch("blank", NULL);
    skynet_error(service, "nobody listens");
    pump();
    launch_logger("sources");
    skynet_error(service, "plain");
    skynet_error(NULL, "from nobody");
    skynet_error(service, "%%");
    skynet_error(service, "%s", "");
    skynet_error(service, "%d %u %x %lld %zu %c|%5s|%-5s|%05d|%.2f|%s", -1, 2u, 0x3f, 1ll << 40,
                 (size_t)6, 'c', "r", "l", 42, 2.5, "end");
    skynet_error(service, "%.*s", 4, "abcdefgh");
    // A format of its own: that many bytes of a string that need not end.
    char bytes[5] = {'a', 'b', 'c', 'd', 'e'};
    skynet_error(service, "%*s", 5, bytes);
    skynet_error(service, "%*s", 0, bytes);
    skynet_error(service, "%*s|", 5, "abc");
    skynet_error(service, "%f %e %g %Lf", 1.5, 2.5, 3.5, 4.5L);
    pump();

    char text[4096];
    memset(text, 'x', sizeof text);
    static const size_t lengths[] = {254, 255, 256, 257, 3000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        text[lengths[i]] = 0;
        text[lengths[i] - 1] = '!';
        skynet_error(service, "%s", text);
        skynet_error(service, "%*s", (int)lengths[i], text);
        pump();
        text[lengths[i]] = text[lengths[i] - 1] = 'x';
    }
    return 0;
}
