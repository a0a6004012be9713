/*
 * Round trips over TCP on loopback, through the node's own sockets at both ends:
 * one echo service, and client services that each have one connection and one
 * payload under way.
 *
 *   director   bench_echo CONNECTIONS CENTISECONDS PAYLOAD
 */
#include "bench.h"
#include "skynet_socket.h"

enum role { DIRECTOR, CLIENT, SERVER };

struct bench_echo {
	enum role role;
	int slot;
	int id;
	int payload;
	int received;
	struct bench_director director;
};

/* Written by the director before it starts the server. */
static uint32_t clients[BENCH_MAX];
static int client_count;

static void
ask(struct skynet_context *ctx, struct bench_echo *self) {
	char *block = skynet_malloc((size_t)self->payload);
	memset(block, 'x', (size_t)self->payload);
	self->received = 0;
	skynet_socket_send(ctx, self->id, block, self->payload);
}

static int
on_client(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_echo *self = ud;
	const struct skynet_socket_message *message = msg;
	(void)session; (void)source;
	if (type == BENCH_WIRE) {
		self->id = skynet_socket_connect(ctx, "127.0.0.1", (int)bench_peer(msg, sz));
	} else if (type == PTYPE_SOCKET) {
		switch (message->type) {
		case SKYNET_SOCKET_TYPE_CONNECT:
			skynet_socket_nodelay(ctx, self->id);
			ask(ctx, self);
			break;
		case SKYNET_SOCKET_TYPE_DATA:
			self->received += message->ud;
			skynet_free(message->buffer);
			if (self->received == self->payload) {
				bench_count(self->slot);
				if (!bench_stopped())
					ask(ctx, self);
			}
			break;
		case SKYNET_SOCKET_TYPE_ERROR:
			bench_fail(ctx, "a client's socket has an error");
			break;
		}
	}
	return 0; /* msg is the node's to free */
}

static int
on_server(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	const struct skynet_socket_message *message = msg;
	(void)ud; (void)session; (void)source; (void)sz;
	if (type != PTYPE_SOCKET)
		return 0;
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_CONNECT:
		if (message->ud != 0) { /* it listens: the port */
			skynet_socket_start(ctx, message->id);
			for (int i = 0; i < client_count; i++)
				bench_wire(ctx, clients[i], (uint32_t)message->ud);
		}
		break;
	case SKYNET_SOCKET_TYPE_ACCEPT:
		skynet_socket_start(ctx, message->ud);
		skynet_socket_nodelay(ctx, message->ud);
		break;
	case SKYNET_SOCKET_TYPE_DATA:
		skynet_socket_send(ctx, message->id, message->buffer, message->ud);
		break;
	case SKYNET_SOCKET_TYPE_ERROR:
		if (!bench_stopped())
			bench_fail(ctx, "the server's socket has an error");
		break;
	}
	return 0; /* msg is the node's to free */
}

static int
launch(struct skynet_context *ctx, const struct bench_director *d) {
	for (int i = 0; i < d->services; i++) {
		char cmdline[64];
		snprintf(cmdline, sizeof(cmdline), "bench_echo client %d %zu", i, d->payload);
		clients[i] = bench_launch(ctx, cmdline);
		if (clients[i] == 0)
			return 1;
	}
	client_count = d->services;
	return bench_launch(ctx, "bench_echo server") == 0;
}

static const char *
check(const struct bench_director *d) {
	for (int i = 0; i < d->services; i++)
		if (atomic_load(&bench_counters[i].n) == 0)
			return "a connection had no round trip";
	return NULL;
}

struct bench_echo *
bench_echo_create(void) {
	return calloc(1, sizeof(struct bench_echo));
}

int
bench_echo_init(struct bench_echo *self, struct skynet_context *ctx, const char *args) {
	if (args && strcmp(args, "server") == 0) {
		self->role = SERVER;
		skynet_callback(ctx, self, on_server);
		return skynet_socket_listen(ctx, "127.0.0.1", 0, 256) > 0 ? 0 : 1;
	}
	if (args && sscanf(args, "client %d %d", &self->slot, &self->payload) == 2) {
		self->role = CLIENT;
		skynet_callback(ctx, self, on_client);
		return 0;
	}
	self->director.metric = "rate";
	self->director.launch = launch;
	self->director.check = check;
	return bench_director_start(&self->director, ctx, args, BENCH_MAX);
}

void
bench_echo_release(struct bench_echo *self) {
	free(self);
}
