/*
 * One message going round a ring of services; a hop is one message handled.
 *
 *   director   bench_ring SERVICES CENTISECONDS PAYLOAD
 */
#include "bench.h"

struct bench_ring {
	int slot;
	uint32_t next;
	struct bench_director director;
};

static int
on_hop(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_ring *self = ud;
	(void)session; (void)source;
	if (type == BENCH_WIRE) {
		self->next = bench_peer(msg, sz);
		return 0;
	}
	bench_count(self->slot);
	if (!bench_stopped())
		bench_send(ctx, self->next, sz);
	return 0;
}

static int
launch(struct skynet_context *ctx, const struct bench_director *d) {
	uint32_t ring[BENCH_MAX];
	for (int i = 0; i < d->services; i++) {
		char cmdline[64];
		snprintf(cmdline, sizeof(cmdline), "bench_ring hop %d", i);
		ring[i] = bench_launch(ctx, cmdline);
		if (ring[i] == 0)
			return 1;
	}
	for (int i = 0; i < d->services; i++)
		bench_wire(ctx, ring[i], ring[(i + 1) % d->services]);
	bench_send(ctx, ring[0], d->payload);
	return 0;
}

struct bench_ring *
bench_ring_create(void) {
	return calloc(1, sizeof(struct bench_ring));
}

int
bench_ring_init(struct bench_ring *self, struct skynet_context *ctx, const char *args) {
	if (args && sscanf(args, "hop %d", &self->slot) == 1) {
		skynet_callback(ctx, self, on_hop);
		return 0;
	}
	self->director.metric = "rate";
	self->director.launch = launch;
	return bench_director_start(&self->director, ctx, args, BENCH_MAX);
}

void
bench_ring_release(struct bench_ring *self) {
	free(self);
}
