// What each service holds, in the log and in a Lua table, and jemalloc's settings.
// The declarations stand for Lua's own headers.
// ctest: link=lua
#include "malloc_hook.h"

#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>

typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void lua_close(lua_State *);
int lua_pcallk(lua_State *, int, int, int, intptr_t, int (*)(lua_State *, int, intptr_t));
void lua_pushcclosure(lua_State *, int (*)(lua_State *), int);
int lua_gettop(lua_State *);
void lua_settop(lua_State *, int);
void lua_pushnil(lua_State *);
int lua_next(lua_State *, int);
int lua_isinteger(lua_State *, int);
long long lua_tointegerx(lua_State *, int, int *);

enum { SIZE = 100000, ROUNDS = 10 };

static struct {
    uint32_t holder;
    int begun, ended;
    size_t held, total_kb, listed;
} dumped;

static void *blocks[ROUNDS];

static int hold(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
                const void *msg, size_t sz) {
    (void)context, (void)ud, (void)type, (void)source, (void)msg, (void)sz;
    if (blocks[session] == NULL) {
        blocks[session] = skynet_malloc(SIZE);
        memset(blocks[session], 1, SIZE);
    } else {
        skynet_free(blocks[session]);
        blocks[session] = NULL;
    }
    return 0;
}

// Reads the lines of dump_c_mem, and prints others.
static int on_line(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)context, (void)ud, (void)session, (void)source;
    char line[200];
    uint32_t handle;
    size_t kb, bytes;
    int length = 0;
    if (type != PTYPE_TEXT || sz >= sizeof line)
        return 0;
    memcpy(line, msg, sz);
    line[sz] = 0;
    if (strcmp(line, "dump all service mem:") == 0) {
        dumped.begun++;
    } else if (sscanf(line, ":%08" SCNx32 " -> %zukb %zub%n", &handle, &kb, &bytes, &length) == 3) {
        CHECK(length == (int)sz && kb == bytes >> 10);
        dumped.listed += bytes;
        if (handle == dumped.holder)
            dumped.held = bytes;
    } else if (sscanf(line, "+total: %zukb%n", &dumped.total_kb, &length) == 1) {
        CHECK(length == (int)sz && dumped.total_kb == dumped.listed >> 10);
        dumped.ended++;
    } else if (strncmp(line, "set new", 7) == 0) {
        say("log %s", line);
    }
    return 0;
}

// What the log says that the holder has.
static size_t logged(void) {
    memset((char *)&dumped + sizeof dumped.holder, 0, sizeof dumped - sizeof dumped.holder);
    dump_c_mem();
    pump();
    CHECK(dumped.begun == 1 && dumped.ended == 1);
    return dumped.held;
}

// What the Lua table says that the holder has; -1: nothing.
static long long tabled(lua_State *L) {
    long long held = -1, sum = 0;
    lua_settop(L, 0);
    lua_pushcclosure(L, dump_mem_lua, 0);
    size_t used = malloc_used_memory();
    CHECK(lua_pcallk(L, 0, -1, 0, 0, NULL) == 0 && lua_gettop(L) == 1);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        CHECK(lua_isinteger(L, -2) && lua_isinteger(L, -1));
        sum += lua_tointegerx(L, -1, NULL);
        if ((uint32_t)lua_tointegerx(L, -2, NULL) == dumped.holder)
            held = lua_tointegerx(L, -1, NULL);
        lua_settop(L, -2);
    }
    // A Lua state allocates for its table, unless its allocator counts apart.
    CHECK(sum >= (long long)used && sum < (long long)used + 10000);
    return held;
}

static void settings(void) {
    size_t epoch = 1;
    mallctl_int64("epoch", &epoch);
    CHECK(mallctl_int64("stats.allocated", NULL) > SIZE);
    CHECK(mallctl_int64("stats.resident", NULL) > SIZE);
    CHECK(mallctl_int64("arenas.narenas", NULL) > 0); // 32 bits
    say("page: %zu", mallctl_int64("arenas.page", NULL));
    say("no such number: %zu", mallctl_int64("no.such", NULL));
    say("profiling is built in: %d, on: %d, active: %d", mallctl_bool("config.prof", NULL),
        mallctl_bool("opt.prof", NULL), mallctl_bool("prof.active", NULL));
    bool no = false, yes = true;
    say("tcache: %d", mallctl_bool("thread.tcache.enabled", &no));
    say("then: %d", mallctl_bool("thread.tcache.enabled", &yes));
    say("commands: %d, %s, %s", mallctl_cmd("thread.tcache.flush"), strerror(mallctl_cmd("no.such")),
        strerror(mallctl_cmd("prof.dump")));
    int zero = 0;
    say("arena: %d", mallctl_opt("thread.arena", NULL));
    mallctl_opt("thread.arena", &zero);
    mallctl_opt("arenas.narenas", &zero);
    mallctl_opt("no.such", &zero);
    pump();
}

static void statistics(const char *scratch) {
    char path[4096], text[200] = "";
    snprintf(path, sizeof path, "%s/statistics", scratch);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), errors = dup(2);
    CHECK(file >= 0 && errors >= 0 && dup2(file, 2) == 2);
    memory_info_dump("gmdablxe");
    CHECK(dup2(errors, 2) == 2);
    close(errors);
    CHECK(pread(file, text, sizeof text - 1, 0) > 0);
    close(file);
    say("%.*s", (int)strcspn(text, "\n"), text);
}

// On a thread of no service: charged apart from the main thread, under the same
// pseudo-handle.
static void *allocate_elsewhere(void *unused) {
    (void)unused;
    return skynet_malloc(SIZE);
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    pthread_t thread;
    void *elsewhere;
    CHECK(pthread_create(&thread, NULL, allocate_elsewhere, NULL) == 0);
    pthread_join(thread, &elsewhere);
    struct skynet_context *logger = launch("blank", NULL);
    skynet_callback(logger, NULL, on_line);
    CHECK(skynet_handle_namehandle(skynet_context_handle(logger), "logger") != NULL);
    struct skynet_context *holder = launch("blank", NULL);
    skynet_callback(holder, NULL, hold);
    dumped.holder = skynet_context_handle(holder);
    lua_State *L = luaL_newstate();
    CHECK(L != NULL);

    size_t in_log = logged();
    long long in_table = tabled(L) > 0 ? tabled(L) : 0;
    size_t used = malloc_used_memory(), count = malloc_memory_block();
    for (int session = 0; session < ROUNDS; session++)
        skynet_send(holder, 0, dumped.holder, PTYPE_TEXT, session, NULL, 0);
    pump();
    // With 16 bytes in front of each block. The log's own lines may be charged too.
    say("held, by the log, to a hundred bytes: %zu", (logged() - in_log + 50) / 100);
    say("by the Lua table: %lld", tabled(L) - in_table);
    CHECK(malloc_used_memory() - used < ROUNDS * (SIZE + 16) + 20000);
    CHECK(malloc_memory_block() - count < ROUNDS + 200);
    settings();
    statistics(argv[2]);
    for (int session = 0; session < ROUNDS; session++)
        skynet_send(holder, 0, dumped.holder, PTYPE_TEXT, session, NULL, 0);
    pump();
    say("given back, by the log, to a hundred bytes: %zu", (logged() - in_log + 20) / 100);
    say("by the Lua table: %lld", tabled(L) - in_table);
    lua_close(L);
    skynet_free(elsewhere);
    return 0;
}
