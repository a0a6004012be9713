// A bootstrap service that fails ends the node, after the log's lines are out.
// ctest: exit=1
#include "ctest.h"

int badstart_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_error(context, "cannot start");
    return 1;
}
