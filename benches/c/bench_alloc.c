/*
 * The allocator as services use it: each service keeps 1,000 live blocks of 16
 * to 4096 bytes, and frees one and allocates another at random, writing to
 * every cache line of the new one. One event is one such exchange. With as many
 * services as the node has workers, this many threads are at it.
 *
 *   director   bench_alloc SERVICES CENTISECONDS 0
 */
#include "bench.h"

#define LIVE 1000
#define EXCHANGES 4000

struct bench_alloc {
	int slot;
	uint32_t self;
	uint64_t seed;
	unsigned char *live[LIVE];
	struct bench_director director;
};

static uint64_t
next_random(struct bench_alloc *a) {
	a->seed ^= a->seed << 13;
	a->seed ^= a->seed >> 7;
	a->seed ^= a->seed << 17;
	return a->seed;
}

/* Small sizes are as frequent as large ones on a logarithmic scale. */
static size_t
next_size(struct bench_alloc *a) {
	uint64_t r = next_random(a);
	size_t floor = (size_t)16 << (r % 8);
	return floor + (size_t)((r >> 8) % (floor + 1));
}

static void
exchange(struct bench_alloc *a) {
	unsigned char **block = &a->live[next_random(a) % LIVE];
	size_t size = next_size(a);
	skynet_free(*block);
	*block = skynet_malloc(size);
	for (size_t i = 0; i < size; i += 64)
		(*block)[i] = (unsigned char)i;
}

static int
on_message(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_alloc *a = ud;
	(void)type; (void)session; (void)source; (void)msg; (void)sz;
	for (int i = 0; i < EXCHANGES; i++)
		exchange(a);
	bench_add(a->slot, EXCHANGES);
	if (!bench_stopped())
		bench_send(ctx, a->self, 0);
	return 0;
}

static int
launch(struct skynet_context *ctx, const struct bench_director *d) {
	for (int i = 0; i < d->services; i++) {
		char cmdline[64];
		snprintf(cmdline, sizeof(cmdline), "bench_alloc user %d", i);
		uint32_t user = bench_launch(ctx, cmdline);
		if (user == 0)
			return 1;
		bench_send(ctx, user, 0);
	}
	return 0;
}

struct bench_alloc *
bench_alloc_create(void) {
	return calloc(1, sizeof(struct bench_alloc));
}

int
bench_alloc_init(struct bench_alloc *a, struct skynet_context *ctx, const char *args) {
	if (args && sscanf(args, "user %d", &a->slot) == 1) {
		const char *address = skynet_command(ctx, "REG", NULL);
		if (address == NULL)
			return 1;
		a->self = (uint32_t)strtoul(address + 1, NULL, 16);
		a->seed = 0x9e3779b97f4a7c15u * (uint64_t)(a->slot + 1);
		skynet_callback(ctx, a, on_message);
		return 0;
	}
	a->director.metric = "rate";
	a->director.launch = launch;
	return bench_director_start(&a->director, ctx, args, BENCH_MAX);
}

void
bench_alloc_release(struct bench_alloc *a) {
	for (int i = 0; i < LIVE; i++)
		skynet_free(a->live[i]);
	free(a);
}
