/*
 * Clients of a server on loopback, all in one thread: each has a connection and one
 * request under way, always the same, and sends it again when the response is there.
 *
 *   load frame|http PORT CONNECTIONS CENTISECONDS REQUEST
 *
 * REQUEST is in hexadecimal. A response is a frame of two bytes of size, the highest
 * first, and its content, or one of HTTP with code 200 and a content-length. All
 * responses have to be the same bytes. After half a second it counts for the given
 * time, and prints round trips per second, the 99th percentile of their time in
 * microseconds, and how much of a processor it has taken itself, in percent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 2048
#define RESPONSE_MAX 4096
#define EVENTS 256
#define WARMUP_NS 500000000u
#define SILENCE_MS 10000
/* Times of a second and more count as one second. */
#define SLOWEST_US 1000000

struct client {
	int fd;
	uint64_t sent;
	size_t have;
	char response[RESPONSE_MAX];
};

static char request[REQUEST_MAX];
static size_t request_size;
static int http;
/* What every response has to be. */
static char expected[RESPONSE_MAX];
static size_t expected_size;
static uint64_t times[SLOWEST_US + 1];

__attribute__((noreturn, format(printf, 1, 2))) static void
fail(const char *format, ...) {
	va_list words;
	va_start(words, format);
	printf("BENCH-FAILED clients: ");
	vprintf(format, words);
	printf("\n");
	va_end(words);
	exit(1);
}

static uint64_t
now_ns(void) {
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double
cpu_seconds(void) {
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
		+ (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
read_request(const char *hex) {
	size_t digits = strlen(hex);
	if (digits == 0 || digits % 2 || digits / 2 > REQUEST_MAX)
		fail("a request has 1 to %d bytes", REQUEST_MAX);
	for (; request_size < digits / 2; request_size++) {
		unsigned byte;
		if (sscanf(hex + 2 * request_size, "%2x", &byte) != 1)
			fail("the request is not hexadecimal");
		request[request_size] = (char)byte;
	}
}

/* The size of a response whose first bytes these are; 0: not known yet. */
static size_t
response_size(const char *bytes, size_t have) {
	if (!http) {
		const unsigned char *size = (const unsigned char *)bytes;
		return have < 2 ? 0 : 2u + ((size_t)size[0] << 8) + size[1];
	}
	static const char ok[] = "HTTP/1.1 200", length[] = "content-length:";
	const char *end = memmem(bytes, have, "\r\n\r\n", 4);
	if (!end)
		return 0;
	if (strncmp(bytes, ok, sizeof ok - 1) != 0)
		fail("the response is %.40s", bytes);
	for (const char *at = bytes; at < end; at++)
		if (strncasecmp(at, length, sizeof length - 1) == 0)
			return (size_t)(end + 4 - bytes) + strtoul(at + sizeof length - 1, NULL, 10);
	fail("the response has no content-length");
}

static void
send_request(struct client *client) {
	client->have = 0;
	client->sent = now_ns();
	/* There is room for it: what went before is answered. */
	ssize_t sent = send(client->fd, request, request_size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 || (size_t)sent != request_size)
		fail("send: %s", strerror(errno));
}

/* Takes what has come. Whether the response is complete. */
static int
receive(struct client *client) {
	size_t room = RESPONSE_MAX - 1 - client->have;
	ssize_t got = recv(client->fd, client->response + client->have, room, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got < 0)
		fail("recv: %s", strerror(errno));
	if (got == 0)
		fail("a connection was closed");
	client->have += (size_t)got;
	client->response[client->have] = '\0';
	size_t size = response_size(client->response, client->have);
	if (size >= RESPONSE_MAX || (size && client->have > size))
		fail("a response of %zu bytes, and %zu have come", size, client->have);
	if (size == 0 || client->have < size)
		return 0;
	if (expected_size == 0) {
		memcpy(expected, client->response, size);
		expected_size = size;
	}
	if (size != expected_size || memcmp(expected, client->response, size) != 0)
		fail("two responses differ");
	return 1;
}

static void
note(uint64_t ns) {
	uint64_t us = (ns + 500) / 1000;
	times[us < SLOWEST_US ? us : SLOWEST_US]++;
}

static unsigned
percentile(unsigned percent, uint64_t count) {
	uint64_t rank = (count * percent + 99) / 100, seen = 0;
	unsigned us = 0;
	while (us < SLOWEST_US && (seen += times[us]) < rank)
		us++;
	return us;
}

static void
open_all(struct client *clients, int count, int port, int poll) {
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int yes = 1;
	for (int i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
			fail("connect: %s", strerror(errno));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
		if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0)
			fail("epoll_ctl: %s", strerror(errno));
		clients[i].fd = fd;
	}
}

int
main(int argc, char **argv) {
	if (argc != 6)
		fail("usage: load frame|http PORT CONNECTIONS CENTISECONDS REQUEST");
	http = strcmp(argv[1], "http") == 0;
	int port = atoi(argv[2]), count = atoi(argv[3]);
	uint64_t window = strtoull(argv[4], NULL, 10) * 10000000u;
	read_request(argv[5]);
	struct client *clients = count > 0 ? calloc((size_t)count, sizeof *clients) : NULL;
	int poll = epoll_create1(0);
	if (!clients || poll < 0)
		fail("no memory for %d clients", count);
	open_all(clients, count, port, poll);
	for (int i = 0; i < count; i++)
		send_request(&clients[i]);

	uint64_t begin = now_ns() + WARMUP_NS, end = begin + window, now, done = 0;
	double cpu = 0;
	do {
		struct epoll_event events[EVENTS];
		int ready = epoll_wait(poll, events, EVENTS, SILENCE_MS);
		if (ready < 0 && errno != EINTR)
			fail("epoll_wait: %s", strerror(errno));
		if (ready == 0)
			fail("no response within %d ms", SILENCE_MS);
		now = now_ns();
		if (cpu == 0 && now >= begin)
			cpu = cpu_seconds();
		for (int i = 0; i < ready; i++) {
			struct client *client = &clients[events[i].data.u32];
			if (!receive(client))
				continue;
			uint64_t came = now_ns();
			if (came >= begin && came < end) {
				done++;
				note(came - client->sent);
			}
			send_request(client);
		}
	} while (now < end);
	if (done == 0)
		fail("no round trip in the time that counts");
	double share = (cpu_seconds() - cpu) / ((double)(now - begin) / 1e9);
	printf("BENCH rate %.6g\n", (double)done / ((double)window / 1e9));
	printf("BENCH p99 %u\n", percentile(99, done));
	printf("BENCH clients %.3g\n", 100 * share);
	return 0;
}
