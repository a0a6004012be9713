// The core in a program that has Lua as well: a Lua state that allocates through
// the core, and sends a message. The declarations stand for lua.h.
// ctest: link=lua
#include "driver.h"

typedef struct lua_State lua_State;
lua_State *lua_newstate(void *(*)(void *, void *, size_t, size_t), void *, unsigned);
void lua_close(lua_State *);
int luaL_loadstring(lua_State *, const char *);
int lua_pcallk(lua_State *, int, int, int, intptr_t, int (*)(lua_State *, int, intptr_t));
void lua_pushcclosure(lua_State *, int (*)(lua_State *), int);
void lua_setglobal(lua_State *, const char *);
long long lua_tointegerx(lua_State *, int, int *);
const char *lua_tolstring(lua_State *, int, size_t *);

static struct skynet_context *service;

static void *allocate(void *ud, void *block, size_t old, size_t size) {
    (void)ud;
    return skynet_lalloc(block, old, size);
}

static int send_text(lua_State *L) {
    size_t size;
    const char *text = lua_tolstring(L, 1, &size);
    skynet_send(service, 0, skynet_context_handle(service), PTYPE_TEXT, 1, (void *)text, size);
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    service = launch_printer("service");
    lua_State *L = lua_newstate(allocate, NULL, 1);
    CHECK(L != NULL);
    lua_pushcclosure(L, send_text, 0);
    lua_setglobal(L, "send");
    CHECK(luaL_loadstring(L, "local t = {}\n"
                             "for i = 1, 1000 do t[i] = 'number ' .. i end\n"
                             "send(t[1000])\n"
                             "return #t") == 0);
    CHECK(lua_pcallk(L, 0, 1, 0, 0, NULL) == 0);
    say("returned %lld", lua_tointegerx(L, -1, NULL));
    lua_close(L);
    pump();
    return 0;
}
