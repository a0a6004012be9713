/*
 * How long a message to an idle service waits while its sender stays busy.
 *
 *   bench_wake SAMPLES
 *
 * The sender sends one message and spins for 2 to 5 ms before its callback
 * returns; the receiver notes the delay. What went before the send varies:
 *
 *   idle   the whole node slept, a timer started the sender's callback
 *   nap    the callback slept in a system call for 0.2 to 2 ms
 *   late   the callback had been computing for 0.5 to 3 ms
 *
 * Every other sample wakes a plain thread from a futex in place of the send,
 * under the same circumstances: what the machine itself takes. No message can
 * be quicker than that.
 */
#include "bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SAMPLES_MAX 20000
#define SPIN_MIN_US 2000
#define SPIN_MAX_US 5000
#define BARE_DEADLINE_NS 2000000000u

enum before { IDLE, NAP, LATE, BEFORE_KINDS };

static const char *const before_names[BEFORE_KINDS] = { "idle", "nap", "late" };

struct sample {
	enum before before;
	int bare;
	uint64_t sent;
	_Atomic uint64_t seen;
};

struct bench_wake {
	uint32_t self;
	uint32_t receiver;
	uint32_t seed;
	int count;
	int current;
	int timer_pending;
	pthread_t bare;
};

static struct sample samples[SAMPLES_MAX];
/* The index + 1 of the sample the bare thread is woken for; -1 ends it. */
static _Atomic int bare_word;

static void
futex(int op, int value) {
	syscall(SYS_futex, &bare_word, op, value, NULL, NULL, 0);
}

static void *
bare_thread(void *unused) {
	int last = 0;
	(void)unused;
	for (;;) {
		int now = atomic_load(&bare_word);
		if (now == last) {
			futex(FUTEX_WAIT_PRIVATE, last);
			continue;
		}
		if (now < 0)
			return NULL;
		atomic_store(&samples[now - 1].seen, bench_ns());
		last = now;
	}
}

static uint64_t
between_us(struct bench_wake *b, uint32_t least, uint32_t most) {
	b->seed = b->seed * 1664525u + 1013904223u;
	return least + (b->seed >> 8) % (most - least + 1);
}

static void
spin_us(uint64_t us) {
	uint64_t until = bench_ns() + us * 1000;
	while (bench_ns() < until) {
	}
}

static void
print_samples(int bare, int before, const char *metric) {
	printf("BENCH-SAMPLES %s", metric);
	for (int i = 0; i < SAMPLES_MAX && samples[i].sent; i++) {
		if (samples[i].bare == bare && (before < 0 || (int)samples[i].before == before))
			printf(" %.1f", (double)(atomic_load(&samples[i].seen) - samples[i].sent) / 1000.0);
	}
	printf("\n");
}

static void
report(struct skynet_context *ctx) {
	print_samples(0, -1, "wake");
	for (int i = 0; i < BEFORE_KINDS; i++)
		print_samples(0, i, before_names[i]);
	print_samples(1, -1, "bare");
	fflush(stdout);
	bench_end(ctx);
}

static void
take_sample(struct skynet_context *ctx, struct bench_wake *b) {
	struct sample *s = &samples[b->current];
	if (s->before == NAP) {
		struct timespec nap = { 0, (long)between_us(b, 200, 2000) * 1000 };
		nanosleep(&nap, NULL);
	} else if (s->before == LATE) {
		spin_us(between_us(b, 500, 3000));
	}
	uint64_t busy = between_us(b, SPIN_MIN_US, SPIN_MAX_US);
	s->bare = b->current & 1;
	s->sent = bench_ns();
	if (!s->bare) {
		skynet_send(ctx, 0, b->receiver, PTYPE_TEXT, b->current, NULL, 0);
		spin_us(busy);
		b->current++;
		return;
	}
	atomic_store(&bare_word, b->current + 1);
	futex(FUTEX_WAKE_PRIVATE, 1);
	spin_us(busy);
	while (atomic_load(&s->seen) == 0) {
		if (bench_ns() - s->sent > BARE_DEADLINE_NS) {
			bench_fail(ctx, "the bare thread did not wake");
			return;
		}
	}
	b->current++;
	skynet_send(ctx, 0, b->self, PTYPE_TEXT, 0, NULL, 0);
}

static int
on_sender(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_wake *b = ud;
	(void)type; (void)session; (void)source; (void)msg; (void)sz;
	if (bench_stopped())
		return 0;
	if (b->receiver == 0) {
		b->receiver = bench_launch(ctx, "bench_wake receiver");
		if (b->receiver == 0 || pthread_create(&b->bare, NULL, bare_thread, NULL) != 0) {
			bench_fail(ctx, "the receiver or the bare thread did not start");
			return 0;
		}
	}
	if (b->current == b->count) {
		atomic_store(&bare_word, -1);
		futex(FUTEX_WAKE_PRIVATE, 1);
		pthread_join(b->bare, NULL);
		report(ctx);
		return 0;
	}
	if (!b->timer_pending) {
		/* One sample in six after idleness, the slowest to take. */
		uint64_t pick = between_us(b, 0, 5);
		samples[b->current].before = pick == 0 ? IDLE : pick % 2 ? NAP : LATE;
		if (pick == 0) {
			b->timer_pending = 1;
			bench_timeout(ctx, 1);
			return 0;
		}
	}
	b->timer_pending = 0;
	take_sample(ctx, b);
	return 0;
}

static int
on_receiver(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	uint64_t now = bench_ns();
	(void)ud; (void)msg; (void)sz;
	if (type == PTYPE_TEXT) {
		atomic_store(&samples[session].seen, now);
		skynet_send(ctx, 0, source, PTYPE_TEXT, 0, NULL, 0);
	}
	return 0;
}

struct bench_wake *
bench_wake_create(void) {
	return calloc(1, sizeof(struct bench_wake));
}

int
bench_wake_init(struct bench_wake *b, struct skynet_context *ctx, const char *args) {
	if (args && strcmp(args, "receiver") == 0) {
		skynet_callback(ctx, b, on_receiver);
		return 0;
	}
	const char *address = skynet_command(ctx, "REG", NULL);
	b->count = args ? atoi(args) : 0;
	if (b->count < 2 || b->count > SAMPLES_MAX || address == NULL) {
		printf("BENCH-FAILED arguments are SAMPLES (2..%d)\n", SAMPLES_MAX);
		fflush(stdout);
		return 1;
	}
	b->self = (uint32_t)strtoul(address + 1, NULL, 16);
	b->seed = (uint32_t)bench_ns();
	skynet_callback(ctx, b, on_sender);
	bench_timeout(ctx, 20);
	return 0;
}

void
bench_wake_release(struct bench_wake *b) {
	free(b);
}
