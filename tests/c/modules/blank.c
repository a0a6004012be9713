// A service that does nothing: who launches it sets its callback.
#include "ctest.h"

int blank_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)context, (void)parm;
    return 0;
}
