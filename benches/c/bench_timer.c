/*
 * Timers: how many skynet_timeout arms in a second, and how many that are due
 * in the same centisecond reach their service in a second.
 *
 *   bench_timer COUNT
 *
 * The first COUNT are due between a minute and ten minutes away, as the
 * time-outs of requests mostly are, and never fire. The second COUNT are all
 * due at one moment; they are counted from the first to the last.
 */
#include "bench.h"
#include "skynet_timer.h"

#define AWAY_CS 6000
#define SPREAD_CS 54000
#define DUE_CS 100

struct bench_timer {
	uint32_t self;
	int count;
	int armed;
	int fired;
	uint64_t first;
};

static void
arm(struct skynet_context *ctx, struct bench_timer *b) {
	uint32_t seed = 12345;
	uint64_t begin = bench_ns();
	for (int i = 0; i < b->count; i++) {
		seed = seed * 1664525u + 1013904223u;
		if (skynet_timeout(b->self, AWAY_CS + (int)((seed >> 8) % SPREAD_CS), i + 1) < 0) {
			bench_fail(ctx, "skynet_timeout refused a timer");
			return;
		}
	}
	bench_result("armed", (double)b->count * 1e9 / (double)(bench_ns() - begin));

	uint64_t due = skynet_now() + DUE_CS;
	for (int i = 0; i < b->count; i++) {
		uint64_t now = skynet_now();
		if (now >= due) {
			bench_fail(ctx, "arming took longer than the time to the timers");
			return;
		}
		skynet_timeout(b->self, (int)(due - now), i + 1);
	}
	b->armed = 1;
}

static int
on_message(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_timer *b = ud;
	(void)session; (void)source; (void)msg; (void)sz;
	if (type != PTYPE_RESPONSE)
		return 0;
	if (!b->armed) {
		arm(ctx, b);
		return 0;
	}
	if (b->fired++ == 0)
		b->first = bench_ns();
	if (b->fired == b->count) {
		bench_result("fired", (double)(b->count - 1) * 1e9 / (double)(bench_ns() - b->first));
		bench_end(ctx);
	}
	return 0;
}

struct bench_timer *
bench_timer_create(void) {
	return calloc(1, sizeof(struct bench_timer));
}

int
bench_timer_init(struct bench_timer *b, struct skynet_context *ctx, const char *args) {
	const char *address = skynet_command(ctx, "REG", NULL);
	b->count = args ? atoi(args) : 0;
	if (b->count < 2 || address == NULL) {
		printf("BENCH-FAILED arguments are COUNT\n");
		fflush(stdout);
		return 1;
	}
	b->self = (uint32_t)strtoul(address + 1, NULL, 16);
	skynet_callback(ctx, b, on_message);
	bench_timeout(ctx, 20);
	return 0;
}

void
bench_timer_release(struct bench_timer *b) {
	free(b);
}
