/*
 * What an exchange of two blocks costs, in nanoseconds of CPU time: free one of
 * 1,000 live blocks of 16 to 4096 bytes, allocate another, write to each of its
 * cache lines. Services do it at the same time, one for each worker, in three
 * ways by turns, so that what else the machine does meets all alike:
 *
 *   charged   malloc and free
 *   foreign   smaller ones in bulk, freed by another service than allocated them
 *   raw       je_malloc and je_free, charged to nobody, if the node has them
 *
 * Started as the node's bootstrap, "alloc SERVICES"; see alloc.sh.
 */
#define _GNU_SOURCE
#include "skynet.h"
#include "skynet_malloc.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIVE 1000
#define EXCHANGES 20000
#define TURNS 40
#define SERVICES_MAX 64

enum way { CHARGED, FOREIGN, RAW, WAYS };

static const char *const way_names[WAYS] = { "charged", "foreign", "raw" };

struct alloc {
	int slot;
	int turn;
	uint32_t self;
	uint64_t seed;
	void *live[LIVE];
};

static struct {
	int services;
	void *(*je_malloc)(size_t);
	void (*je_free)(void *);
	/* By way; a service writes to its own part. */
	double ns[WAYS][SERVICES_MAX][TURNS];
	/* Blocks on their way to the service that frees them next. */
	_Atomic(void **) passed[SERVICES_MAX];
	atomic_int at_work;
} shared;

static uint64_t
random_number(struct alloc *a) {
	a->seed ^= a->seed << 13;
	a->seed ^= a->seed >> 7;
	a->seed ^= a->seed << 17;
	return a->seed;
}

static uint64_t
cpu_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
touch(char *block, size_t size) {
	for (size_t i = 0; i < size; i += 64)
		block[i] = (char)i;
}

static size_t
random_size(struct alloc *a) {
	return 16 + random_number(a) % 4081;
}

static double
exchange(struct alloc *a, void *(*get)(size_t), void (*give)(void *)) {
	for (int i = 0; i < LIVE; i++) {
		size_t size = random_size(a);
		a->live[i] = get(size);
		touch(a->live[i], size);
	}
	uint64_t start = cpu_ns();
	for (int i = 0; i < EXCHANGES; i++) {
		void **place = &a->live[random_number(a) % LIVE];
		size_t size = random_size(a);
		give(*place);
		*place = get(size);
		touch(*place, size);
	}
	double each = (double)(cpu_ns() - start) / EXCHANGES;
	for (int i = 0; i < LIVE; i++)
		give(a->live[i]);
	return each;
}

/* Frees the blocks that its neighbour left here, and leaves as many. */
static double
exchange_foreign(struct alloc *a) {
	uint64_t start = cpu_ns();
	void **fresh = skynet_malloc(EXCHANGES * sizeof(*fresh));
	for (int i = 0; i < EXCHANGES; i++) {
		size_t size = 16 + random_number(a) % 497;
		fresh[i] = skynet_malloc(size);
		touch(fresh[i], size);
	}
	int neighbour = (a->slot + 1) % shared.services;
	void **stale = atomic_exchange(&shared.passed[neighbour], fresh);
	if (stale != NULL) {
		for (int i = 0; i < EXCHANGES; i++)
			skynet_free(stale[i]);
		skynet_free(stale);
	}
	return (double)(cpu_ns() - start) / EXCHANGES;
}

static int
compare(const void *left, const void *right) {
	double difference = *(const double *)left - *(const double *)right;
	return (difference > 0) - (difference < 0);
}

static void
report(void) {
	for (int way = 0; way < WAYS; way++) {
		if (way == RAW && shared.je_malloc == NULL)
			continue;
		double all[SERVICES_MAX * TURNS];
		int count = shared.services * TURNS;
		for (int i = 0; i < count; i++)
			all[i] = shared.ns[way][i / TURNS][i % TURNS];
		qsort(all, (size_t)count, sizeof(*all), compare);
		printf("ALLOC %d services, %-7s %7.1f ns, fastest tenth %7.1f ns\n",
			shared.services, way_names[way], all[count / 2], all[count / 10]);
	}
	fflush(stdout);
}

static int
on_message(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct alloc *a = ud;
	(void)type; (void)session; (void)source; (void)msg; (void)sz;
	/* Not counted: who comes first finds what `foreign` has left of the heap. */
	exchange(a, malloc, free);
	for (int i = 0; i < 2; i++) {
		if ((a->turn + i) % 2 == 0)
			shared.ns[CHARGED][a->slot][a->turn] = exchange(a, malloc, free);
		else if (shared.je_malloc != NULL)
			shared.ns[RAW][a->slot][a->turn] = exchange(a, shared.je_malloc, shared.je_free);
	}
	shared.ns[FOREIGN][a->slot][a->turn] = exchange_foreign(a);
	if (++a->turn < TURNS) {
		skynet_send(ctx, 0, a->self, PTYPE_TEXT, 0, NULL, 0);
	} else if (atomic_fetch_sub(&shared.at_work, 1) == 1) {
		report();
		skynet_command(ctx, "ABORT", NULL);
	}
	return 0;
}

static void
launch(struct skynet_context *ctx) {
	for (int slot = 0; slot < shared.services; slot++) {
		char line[32];
		snprintf(line, sizeof(line), "alloc - %d", slot);
		if (skynet_command(ctx, "LAUNCH", line) == NULL)
			skynet_error(ctx, "alloc: service %d did not start", slot);
	}
}

struct alloc *
alloc_create(void) {
	return skynet_calloc(1, sizeof(struct alloc));
}

void
alloc_release(struct alloc *a) {
	skynet_free(a);
}

int
alloc_init(struct alloc *a, struct skynet_context *ctx, const char *parm) {
	if (sscanf(parm, "- %d", &a->slot) == 1) {
		const char *self = skynet_command(ctx, "REG", NULL);
		a->self = (uint32_t)strtoul(self + 1, NULL, 16);
		a->seed = (uint64_t)a->slot * 7919 + 88172645463325252u;
		skynet_callback(ctx, a, on_message);
		skynet_send(ctx, 0, a->self, PTYPE_TEXT, 0, NULL, 0);
		return 0;
	}
	shared.services = atoi(parm);
	if (shared.services < 1 || shared.services > SERVICES_MAX) {
		skynet_error(ctx, "alloc: services must be 1 to %d, not '%s'", SERVICES_MAX, parm);
		return 1;
	}
	atomic_store(&shared.at_work, shared.services);
	/* By name, because a node without jemalloc does not have them. */
	shared.je_malloc = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "je_malloc");
	shared.je_free = (void (*)(void *))dlsym(RTLD_DEFAULT, "je_free");
	launch(ctx);
	return 0;
}
