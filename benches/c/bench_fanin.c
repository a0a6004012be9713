/*
 * Several senders, one receiver. A sender may have WINDOW messages unhandled;
 * the receiver gives credit back for BATCH at a time, so its mailbox stays
 * under the length at which a node warns of overload.
 *
 *   director   bench_fanin SENDERS CENTISECONDS PAYLOAD
 */
#include "bench.h"

#define WINDOW 96
#define BATCH 32
#define SENDERS_MAX 10

struct bench_fanin {
	size_t payload;
	uint32_t sink;
	/* The sink's: messages since the last credit, by sender. */
	int senders;
	struct { uint32_t handle; int handled; } from[SENDERS_MAX];
	struct bench_director director;
};

static void
burst(struct skynet_context *ctx, struct bench_fanin *self, int n) {
	for (int i = 0; i < n && !bench_stopped(); i++)
		bench_send(ctx, self->sink, self->payload);
}

static int
on_source(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_fanin *self = ud;
	(void)session; (void)source;
	if (type == BENCH_WIRE) {
		self->sink = bench_peer(msg, sz);
		burst(ctx, self, WINDOW);
	} else {
		burst(ctx, self, BATCH);
	}
	return 0;
}

static int
on_sink(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_fanin *self = ud;
	(void)type; (void)session; (void)msg; (void)sz;
	bench_count(0);
	int i = 0;
	while (i < self->senders && self->from[i].handle != source)
		i++;
	if (i == self->senders) {
		if (i == SENDERS_MAX)
			return 0;
		self->from[self->senders++].handle = source;
	}
	if (++self->from[i].handled == BATCH) {
		self->from[i].handled = 0;
		bench_send(ctx, source, 0);
	}
	return 0;
}

static int
launch(struct skynet_context *ctx, const struct bench_director *d) {
	uint32_t sink = bench_launch(ctx, "bench_fanin sink");
	if (sink == 0)
		return 1;
	for (int i = 0; i < d->services; i++) {
		char cmdline[64];
		snprintf(cmdline, sizeof(cmdline), "bench_fanin source %zu", d->payload);
		uint32_t source = bench_launch(ctx, cmdline);
		if (source == 0)
			return 1;
		bench_wire(ctx, source, sink);
	}
	return 0;
}

struct bench_fanin *
bench_fanin_create(void) {
	return calloc(1, sizeof(struct bench_fanin));
}

int
bench_fanin_init(struct bench_fanin *self, struct skynet_context *ctx, const char *args) {
	if (args && strcmp(args, "sink") == 0) {
		skynet_callback(ctx, self, on_sink);
		return 0;
	}
	if (args && sscanf(args, "source %zu", &self->payload) == 1) {
		skynet_callback(ctx, self, on_source);
		return 0;
	}
	self->director.metric = "rate";
	self->director.launch = launch;
	return bench_director_start(&self->director, ctx, args, SENDERS_MAX);
}

void
bench_fanin_release(struct bench_fanin *self) {
	free(self);
}
