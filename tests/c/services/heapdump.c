// jemalloc's heap profiles in a node.
// ctest: thread=2 logger=silent needs=jemalloc env=JE_MALLOC_CONF=prof:true,prof_active:false,prof_prefix:$SCRATCH/heap
#include "heapprofile.h"

static int profile(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
    profile_heap(skynet_command(context, "GETENV", "scratch"));
    skynet_command(context, "ABORT", NULL);
    return 0;
}

int heapdump_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance, (void)parm;
    skynet_callback(context, NULL, profile);
    skynet_command(context, "TIMEOUT", "0");
    return 0;
}
