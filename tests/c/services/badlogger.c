// A logger that fails to start, or is not there, ends the node before anything runs.
// ctest: logservice=logger logger=$SCRATCH/none/node.log exit=1
// ctest: logservice=nowhere exit=1
// ctest: logservice=noinit exit=1
#include "ctest.h"

int badlogger_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)context, (void)parm;
    say("must not run");
    return 0;
}
