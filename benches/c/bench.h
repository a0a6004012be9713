/*
 * What the benchmark services share: a clock, counters that the director may
 * read while their owners run, and the director itself, which warms up, counts
 * over a window, prints and ends the node.
 *
 * A benchmark is one .so. Its first instance, started as the node's bootstrap,
 * is the director; it launches the rest from the same .so with other arguments.
 * Rates are counted over a window while everything is already running, so that
 * launching and draining are not part of any figure.
 */
#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "skynet.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Traffic is PTYPE_TEXT; a director tells a service whom to talk to with PTYPE_CLIENT. */
#define BENCH_WIRE PTYPE_CLIENT
#define BENCH_MAX 256
#define BENCH_PAYLOAD_MAX 4096
#define BENCH_WARMUP_CS 50

/* One writer each, on a cache line of its own. */
struct bench_counter {
	_Alignas(64) _Atomic uint64_t n;
};

static struct bench_counter bench_counters[BENCH_MAX];
static _Atomic int bench_stopping;

static inline uint64_t
bench_ns(void) {
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The owner is the only writer, so a load and a store will do. */
static inline void
bench_add(int slot, uint64_t events) {
	struct bench_counter *c = &bench_counters[slot];
	uint64_t n = atomic_load_explicit(&c->n, memory_order_relaxed);
	atomic_store_explicit(&c->n, n + events, memory_order_relaxed);
}

static inline void
bench_count(int slot) {
	bench_add(slot, 1);
}

static inline uint64_t
bench_total(void) {
	uint64_t sum = 0;
	for (int i = 0; i < BENCH_MAX; i++)
		sum += atomic_load_explicit(&bench_counters[i].n, memory_order_relaxed);
	return sum;
}

static inline int
bench_stopped(void) {
	return atomic_load_explicit(&bench_stopping, memory_order_relaxed);
}

/* One line that the script looks for; the log shares the same output. */
static inline void
bench_result(const char *metric, double value) {
	printf("BENCH %s %.6g\n", metric, value);
	fflush(stdout);
}

static inline void
bench_end(struct skynet_context *ctx) {
	atomic_store(&bench_stopping, 1);
	skynet_command(ctx, "ABORT", NULL);
}

static inline void
bench_fail(struct skynet_context *ctx, const char *what) {
	printf("BENCH-FAILED %s\n", what);
	fflush(stdout);
	bench_end(ctx);
}

static inline void
bench_timeout(struct skynet_context *ctx, int centiseconds) {
	char text[16];
	snprintf(text, sizeof(text), "%d", centiseconds);
	skynet_command(ctx, "TIMEOUT", text);
}

/* Launches a service and returns its handle, or 0. */
static inline uint32_t
bench_launch(struct skynet_context *ctx, const char *cmdline) {
	const char *address = skynet_command(ctx, "LAUNCH", cmdline);
	if (address == NULL || address[0] != ':')
		return 0;
	return (uint32_t)strtoul(address + 1, NULL, 16);
}

static inline void
bench_wire(struct skynet_context *ctx, uint32_t to, uint32_t peer) {
	skynet_send(ctx, 0, to, BENCH_WIRE, 0, &peer, sizeof(peer));
}

static inline uint32_t
bench_peer(const void *msg, size_t sz) {
	uint32_t peer = 0;
	if (sz == sizeof(peer))
		memcpy(&peer, msg, sz);
	return peer;
}

/* Traffic: a payload that the runtime copies, as most senders want it. */
static inline void
bench_send(struct skynet_context *ctx, uint32_t to, size_t payload) {
	static char bytes[BENCH_PAYLOAD_MAX];
	skynet_send(ctx, 0, to, PTYPE_TEXT, 0, bytes, payload);
}

/*
 * The director of a counted benchmark. `launch` starts the services and wires
 * them, after the node's threads run; 0 means success. `check`, if there is one,
 * says at the end what was wrong, or NULL.
 */
struct bench_director {
	const char *metric;
	int (*launch)(struct skynet_context *ctx, const struct bench_director *d);
	const char *(*check)(const struct bench_director *d);
	int services;
	int centiseconds;
	size_t payload;
	int step;
	uint64_t since;
	uint64_t counted;
};

static inline int
bench_direct(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_director *d = ud;
	(void)session; (void)source; (void)msg; (void)sz;
	if (type != PTYPE_RESPONSE)
		return 0;
	switch (d->step++) {
	case 0:
		if (d->launch(ctx, d) != 0)
			bench_fail(ctx, "a service did not start");
		else
			bench_timeout(ctx, BENCH_WARMUP_CS);
		break;
	case 1:
		d->counted = bench_total();
		d->since = bench_ns();
		bench_timeout(ctx, d->centiseconds);
		break;
	case 2: {
		uint64_t n = bench_total() - d->counted;
		uint64_t ns = bench_ns() - d->since;
		const char *wrong = d->check ? d->check(d) : NULL;
		if (wrong) {
			bench_fail(ctx, wrong);
			break;
		}
		bench_result(d->metric, (double)n * 1e9 / (double)ns);
		bench_end(ctx);
		break;
	}
	}
	return 0;
}

/* The bootstrap arguments are "SERVICES CENTISECONDS PAYLOAD". Returns 0, or 1 when they are wrong. */
static inline int
bench_director_start(struct bench_director *d, struct skynet_context *ctx, const char *args, int most) {
	if (args == NULL || sscanf(args, "%d %d %zu", &d->services, &d->centiseconds, &d->payload) != 3
		|| d->services < 1 || d->services > most || d->centiseconds < 1 || d->payload > BENCH_PAYLOAD_MAX) {
		printf("BENCH-FAILED arguments are SERVICES (1..%d) CENTISECONDS PAYLOAD (0..%d)\n", most, BENCH_PAYLOAD_MAX);
		fflush(stdout);
		return 1;
	}
	skynet_callback(ctx, d, bench_direct);
	bench_timeout(ctx, 10);
	return 0;
}

#endif
