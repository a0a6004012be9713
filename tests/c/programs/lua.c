// The core in a program that has Lua as well: the one function of the core that
// gives a Lua value. Its declarations stand for lua.h.
// ctest: link=lua
#include "driver.h"

typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void lua_close(lua_State *);
void lua_pushnil(lua_State *);
int lua_next(lua_State *, int);
int lua_type(lua_State *, int);
int lua_gettop(lua_State *);
void lua_settop(lua_State *, int);

int dump_mem_lua(lua_State *);

enum { NUMBER = 3, TABLE = 5 };

int main(int argc, char **argv) {
    (void)argc;
    driver_init(argv, 1);
    lua_State *L = luaL_newstate();
    CHECK(L != NULL);
    CHECK(dump_mem_lua(L) == 1);
    CHECK(lua_gettop(L) == 1 && lua_type(L, 1) == TABLE);
    int services = 0;
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_settop(L, 2)) {
        CHECK(lua_type(L, 2) == NUMBER && lua_type(L, 3) == NUMBER);
        services++;
    }
    say("a table of numbers, %s", services > 0 ? "not empty" : "empty");
    lua_close(L);
    return 0;
}
