/*
 * A node that has many idle connections: it accepts and starts what comes, and says
 * when as many are there as its argument says. The script is the other end; it reads
 * the node's memory from /proc and then ends the node.
 *
 *   bench_connections COUNT
 */
#include "bench.h"
#include "skynet_socket.h"

#include <sys/resource.h>

struct bench_connections {
	int wanted;
	int started;
};

static int
on_message(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct bench_connections *self = ud;
	const struct skynet_socket_message *message = msg;
	(void)session; (void)source; (void)sz;
	if (type != PTYPE_SOCKET)
		return 0;
	if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->ud != 0) {
		skynet_socket_start(ctx, message->id);
		printf("BENCH-READY %d\n", message->ud);
		fflush(stdout);
	} else if (message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
		skynet_socket_start(ctx, message->ud);
	} else if (message->type == SKYNET_SOCKET_TYPE_CONNECT) {
		if (message->id > 0 && ++self->started == self->wanted + 1) { /* the listener is one */
			printf("BENCH-CONNECTED\n");
			fflush(stdout);
		}
	} else if (message->type == SKYNET_SOCKET_TYPE_ERROR) {
		bench_fail(ctx, "a socket has an error");
	}
	return 0;
}

struct bench_connections *
bench_connections_create(void) {
	return calloc(1, sizeof(struct bench_connections));
}

int
bench_connections_init(struct bench_connections *self, struct skynet_context *ctx, const char *args) {
	struct rlimit limit;
	self->wanted = args ? atoi(args) : 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (self->wanted < 1 || limit.rlim_cur < (rlim_t)self->wanted + 100) {
		printf("BENCH-FAILED too few descriptors, or no number of connections\n");
		fflush(stdout);
		return 1;
	}
	skynet_callback(ctx, self, on_message);
	return skynet_socket_listen(ctx, "127.0.0.1", 0, 1024) > 0 ? 0 : 1;
}

void
bench_connections_release(struct bench_connections *self) {
	free(self);
}
