// For programs that are the node themselves: they initialise its parts as
// skynet_start does, start no threads, and run the dispatch loop in main.
// argv[1] is the directory of the modules, argv[2] a scratch directory.
#ifndef CTEST_DRIVER_H
#define CTEST_DRIVER_H

#include "ctest.h"
#include "skynet_env.h"
#include "skynet_handle.h"
#include "skynet_harbor.h"
#include "skynet_imp.h"
#include "skynet_module.h"
#include "skynet_monitor.h"
#include "skynet_mq.h"
#include "skynet_server.h"
#include "skynet_timer.h"

// Modules find the core's functions in the executable. A program that refers to
// skynet_start, as a real main does, takes all of them from an archive.
void (*volatile driver_links)(struct skynet_config *) = skynet_start;

// Volatile, so that it is kept in programs that do not read it: valgrind would
// take the monitor for lost.
static struct skynet_monitor *volatile driver_monitor;

// With a search path of the test's own.
__attribute__((unused))
static void driver_init_path(const char *path, int harbor) {
    skynet_globalinit();
    skynet_env_init();
    skynet_harbor_init(harbor);
    skynet_handle_init(harbor, 1);
    skynet_handle_register_thread();
    skynet_mq_init();
    skynet_module_init(path);
    skynet_timer_init();
    skynet_profile_enable(1);
    driver_monitor = skynet_monitor_new();
}

__attribute__((unused))
static void driver_init(char **argv, int harbor) {
    char path[4096];
    CHECK(argv[1] != NULL && argv[2] != NULL);
    snprintf(path, sizeof path, "%s/?.so", argv[1]);
    driver_init_path(path, harbor);
}

// Dispatches until nothing is queued.
__attribute__((unused))
static void pump(void) {
    struct message_queue *queue = NULL;
    do {
        queue = skynet_context_message_dispatch(driver_monitor, queue, -1);
    } while (queue != NULL);
}

// Starts a service; the caller has a reference to it.
__attribute__((unused))
static struct skynet_context *launch(const char *module, const char *parm) {
    uint32_t handle = skynet_context_new(module, parm);
    CHECK(handle != 0);
    struct skynet_context *service = skynet_handle_grab(handle);
    CHECK(service != NULL);
    return service;
}

// Takes a service out of the registry and gives the caller's reference back.
__attribute__((unused))
static void retire(struct skynet_context *service) {
    CHECK(skynet_handle_retire(skynet_context_handle(service)) == 1);
    skynet_context_release(service);
}

// The log is part of the output from here on; for the mode see modules/ctlog.c.
__attribute__((unused))
static struct skynet_context *launch_logger(const char *mode) {
    struct skynet_context *logger = launch("ctlog", mode);
    CHECK(skynet_handle_namehandle(skynet_context_handle(logger), "logger") != NULL);
    return logger;
}

// A callback that prints what arrives; its userdata is the service's name.
__attribute__((unused))
static int print_message(struct skynet_context *context, void *ud, int type, int session,
                         uint32_t source, const void *msg, size_t sz) {
    (void)context;
    say("%s: type %d session %d source %x size %zu \"%.*s\"", (const char *)ud, type, session,
        source, sz, (int)sz, msg ? (const char *)msg : "");
    return 0;
}

// A service of module `blank` that prints its messages.
__attribute__((unused))
static struct skynet_context *launch_printer(const char *name) {
    struct skynet_context *service = launch("blank", NULL);
    skynet_callback(service, (void *)name, print_message);
    return service;
}

#endif
