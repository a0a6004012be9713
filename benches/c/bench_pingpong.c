/*
 * Round trips between pairs of services. Each `ping` has one message under way
 * to its `pong`, which sends one back.
 *
 *   director   bench_pingpong PAIRS CENTISECONDS PAYLOAD
 */
#include "bench.h"

enum role { DIRECTOR, PING, PONG };

struct bench_pingpong {
	enum role role;
	int slot;
	size_t payload;
	uint32_t peer;
	struct bench_director director;
};

static int
on_ping(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_pingpong *self = ud;
	(void)session; (void)source;
	if (type == BENCH_WIRE)
		self->peer = bench_peer(msg, sz);
	else
		bench_count(self->slot);
	if (!bench_stopped())
		bench_send(ctx, self->peer, self->payload);
	return 0;
}

static int
on_pong(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud; (void)type; (void)session; (void)msg;
	bench_send(ctx, source, sz);
	return 0;
}

static int
launch(struct skynet_context *ctx, const struct bench_director *d) {
	for (int i = 0; i < d->services; i++) {
		char cmdline[64];
		snprintf(cmdline, sizeof(cmdline), "bench_pingpong ping %d %zu", i, d->payload);
		uint32_t ping = bench_launch(ctx, cmdline);
		uint32_t pong = bench_launch(ctx, "bench_pingpong pong");
		if (ping == 0 || pong == 0)
			return 1;
		bench_wire(ctx, ping, pong);
	}
	return 0;
}

struct bench_pingpong *
bench_pingpong_create(void) {
	return calloc(1, sizeof(struct bench_pingpong));
}

int
bench_pingpong_init(struct bench_pingpong *self, struct skynet_context *ctx, const char *args) {
	if (args && strcmp(args, "pong") == 0) {
		self->role = PONG;
		skynet_callback(ctx, self, on_pong);
		return 0;
	}
	if (args && sscanf(args, "ping %d %zu", &self->slot, &self->payload) == 2) {
		self->role = PING;
		skynet_callback(ctx, self, on_ping);
		return 0;
	}
	self->director.metric = "rate";
	self->director.launch = launch;
	return bench_director_start(&self->director, ctx, args, BENCH_MAX);
}

void
bench_pingpong_release(struct bench_pingpong *self) {
	free(self);
}
