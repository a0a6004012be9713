// The warning about a long mailbox, as the dispatch loop prints it.
// ctest:
#include "driver.h"

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    launch_logger(NULL);
    struct skynet_context *service = launch("blank", NULL);
    pump();
    static const int bursts[] = {1024, 1025, 1026, 2500, 10000, 1100};
    for (int i = 0; i < 6; i++) {
        say("%d messages", bursts[i]);
        for (int n = 0; n < bursts[i]; n++)
            skynet_send(service, 0, skynet_context_handle(service), PTYPE_TEXT, 0, NULL, 0);
        pump();
    }
    // Not empty in between: no second warning at the same length.
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < 1500; n++)
            skynet_send(service, 0, skynet_context_handle(service), PTYPE_TEXT, 0, NULL, 0);
        struct message_queue *queue = NULL;
        do
            queue = skynet_context_message_dispatch(driver_monitor, queue, -1);
        while (atoi(skynet_command(service, "STAT", "mqlen")) > 300);
        skynet_globalmq_push(queue);
        say("still %s", skynet_command(service, "STAT", "mqlen"));
    }
    pump();
    return 0;
}
