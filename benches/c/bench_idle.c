/*
 * A node with nothing to do: one service, one timer an hour away. The script
 * reads the threads' context switches from /proc and then ends the node.
 */
#include "bench.h"

struct bench_idle {
	int unused;
};

static int
on_message(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx; (void)ud; (void)type; (void)session; (void)source; (void)msg; (void)sz;
	return 0;
}

struct bench_idle *
bench_idle_create(void) {
	return calloc(1, sizeof(struct bench_idle));
}

int
bench_idle_init(struct bench_idle *self, struct skynet_context *ctx, const char *args) {
	(void)args;
	skynet_callback(ctx, self, on_message);
	bench_timeout(ctx, 360000);
	printf("BENCH-READY\n");
	fflush(stdout);
	return 0;
}

void
bench_idle_release(struct bench_idle *self) {
	free(self);
}
