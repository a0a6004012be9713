/*
 * One way over TCP on loopback: a service writes blocks of 64 KiB to a connection,
 * another reads them. The reader tells the writer of each MiB it has got, and no
 * more than 8 MiB are under way.
 *
 *   bench_bulk MIB
 */
#include "bench.h"
#include "skynet_socket.h"

#define BLOCK (64 << 10)
#define MIB (1 << 20)
#define UNDER_WAY (8 * MIB)

struct bench_bulk {
	int id;
	uint64_t size;      /* of all */
	uint64_t sent;
	uint64_t confirmed; /* to the writer, or by the reader */
	uint64_t received;
	uint64_t since;
};

static struct bench_bulk *writer;
static uint32_t writer_handle;

static void
write_on(struct skynet_context *ctx, struct bench_bulk *self) {
	while (self->sent < self->size && self->sent - self->confirmed < UNDER_WAY) {
		char *block = skynet_malloc(BLOCK);
		memset(block, (int)(self->sent / BLOCK), BLOCK);
		self->sent += BLOCK;
		if (skynet_socket_send(ctx, self->id, block, BLOCK) != 0) {
			bench_fail(ctx, "a send was refused");
			return;
		}
	}
}

static int
on_writer(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_bulk *self = ud;
	const struct skynet_socket_message *message = msg;
	(void)session; (void)source;
	if (type == PTYPE_RESPONSE) {
		if (bench_launch(ctx, "bench_bulk reader") == 0)
			bench_fail(ctx, "the reader did not start");
	} else if (type == BENCH_WIRE) {
		self->id = skynet_socket_connect(ctx, "127.0.0.1", (int)bench_peer(msg, sz));
	} else if (type == PTYPE_TEXT) {
		self->confirmed += MIB;
		write_on(ctx, self);
	} else if (type == PTYPE_SOCKET && message->type == SKYNET_SOCKET_TYPE_CONNECT) {
		self->since = bench_ns();
		write_on(ctx, self);
	} else if (type == PTYPE_SOCKET && message->type == SKYNET_SOCKET_TYPE_ERROR) {
		bench_fail(ctx, "the writer's socket has an error");
	}
	return 0;
}

static int
on_reader(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_bulk *self = ud;
	const struct skynet_socket_message *message = msg;
	(void)session; (void)source; (void)sz;
	if (type != PTYPE_SOCKET)
		return 0;
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_CONNECT:
		if (message->ud != 0) {
			skynet_socket_start(ctx, message->id);
			bench_wire(ctx, writer_handle, (uint32_t)message->ud);
		}
		break;
	case SKYNET_SOCKET_TYPE_ACCEPT:
		skynet_socket_start(ctx, message->ud);
		break;
	case SKYNET_SOCKET_TYPE_DATA:
		if ((unsigned char)message->buffer[0] != (unsigned char)(self->received / BLOCK)) {
			bench_fail(ctx, "other bytes arrived than were sent");
			break;
		}
		self->received += (uint64_t)message->ud;
		skynet_free(message->buffer);
		for (; self->received - self->confirmed >= MIB; self->confirmed += MIB)
			bench_send(ctx, writer_handle, 1);
		if (self->received == writer->size) {
			double seconds = (double)(bench_ns() - writer->since) / 1e9;
			bench_result("rate", (double)writer->size / MIB / seconds);
			bench_end(ctx);
		}
		break;
	}
	return 0;
}

struct bench_bulk *
bench_bulk_create(void) {
	return calloc(1, sizeof(struct bench_bulk));
}

int
bench_bulk_init(struct bench_bulk *self, struct skynet_context *ctx, const char *args) {
	if (args && strcmp(args, "reader") == 0) {
		skynet_callback(ctx, self, on_reader);
		return skynet_socket_listen(ctx, "127.0.0.1", 0, 8) > 0 ? 0 : 1;
	}
	self->size = (uint64_t)(args ? atoi(args) : 0) * MIB;
	if (self->size == 0) {
		printf("BENCH-FAILED the argument is the size in MiB\n");
		fflush(stdout);
		return 1;
	}
	writer = self;
	writer_handle = (uint32_t)strtoul(skynet_command(ctx, "REG", NULL) + 1, NULL, 16);
	skynet_callback(ctx, self, on_writer);
	bench_timeout(ctx, 10);
	return 0;
}

void
bench_bulk_release(struct bench_bulk *self) {
	free(self);
}
