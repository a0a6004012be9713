// Names: the server works while one is looked up, and every address of a name is
// tried in turn. The program answers for the system's resolver.
// ctest: only=ours
#define _GNU_SOURCE
#include "sockets.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool asked, answer;

static lookup *real(void) {
    return (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
}

// "slow.test" is answered when `answer` is set. "many.test" has three addresses of
// which nobody listens on the first two.
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    if (host == NULL || (hints != NULL && (hints->ai_flags & AI_NUMERICHOST)))
        return real()(host, service, hints, result);
    if (strcmp(host, "slow.test") == 0) {
        pthread_mutex_lock(&lock);
        asked = true;
        pthread_cond_broadcast(&changed);
        while (!answer)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        return real()("127.0.0.1", service, hints, result);
    }
    if (strcmp(host, "many.test") == 0) {
        static const char *const addresses[] = {"127.0.0.3", "127.0.0.2", "127.0.0.1"};
        struct addrinfo *list = NULL, **end = &list;
        for (int i = 0; i < 3; i++) {
            int error = real()(addresses[i], service, hints, end);
            if (error != 0)
                return error;
            while (*end != NULL)
                end = &(*end)->ai_next;
        }
        *result = list;
        return 0;
    }
    return real()(host, service, hints, result);
}

static struct node node;

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 0);
    signal(SIGPIPE, SIG_IGN);
    node_open(&node);
    int port, listener = peer_bind(SOCK_STREAM, "127.0.0.1", &port);

    int slow = named(socket_server_connect(node.server, 1, "slow.test", port), "slow");
    int closed = named(socket_server_connect(node.server, 2, "slow.test", port), "closed meanwhile");
    settle(&node);
    waiting("the name to be looked up");
    pthread_mutex_lock(&lock);
    while (!asked)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    alarm(0);
    int quick = named(socket_server_connect(node.server, 3, "127.0.0.1", port), "meanwhile");
    show(&node, quick);
    int peer = peer_accept(listener);
    peer_send(peer, "works on", 8);
    show(&node, quick);
    show_rest(&node, slow);
    socket_server_close(node.server, 2, closed);
    show(&node, closed);
    pthread_mutex_lock(&lock);
    answer = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    show(&node, slow);
    show_rest(&node, closed);
    close(peer);

    int many = named(socket_server_connect(node.server, 4, "many.test", port), "many");
    show(&node, many);
    show_info(node.server, many);
    CHECK(send_text(node.server, many, "hello") == 0);
    close(peer_accept(listener)); // of `slow`
    peer = peer_accept(listener);
    peer_expect(&node, peer, "hello");
    close(listener);
    int none = named(socket_server_connect(node.server, 5, "many.test", port), "none");
    show(&node, none);
    show_info(node.server, none);
    node_drop(&node);
    return 0;
}
