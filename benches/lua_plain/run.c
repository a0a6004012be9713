/*
** Runs a Lua program in a plain state, with the seed of its string hashes given:
** where keys collide in tables is then the same in every Lua.
**
** usage: run SEED FILE [ARGUMENT]
*/

#include <stdio.h>
#include <stdlib.h>

#include "lua.h"
#include "lualib.h"
#include "lauxlib.h"

/* The patched Lua has it, and the executable calls it first. */
void luaL_initcodecache (void) __attribute__((weak));

int main (int argc, char **argv) {
  unsigned seed = (unsigned)atoi(argv[1]);
  lua_State *L;
  if (argc < 3)
    return 2;
  lua_close(lua_newstate(luaL_alloc, NULL, seed));
  if (luaL_initcodecache != NULL)
    luaL_initcodecache();
  L = lua_newstate(luaL_alloc, NULL, seed);
  luaL_openlibs(L);
  lua_createtable(L, 1, 0);
  if (argc > 3) {
    lua_pushstring(L, argv[3]);
    lua_rawseti(L, -2, 1);
  }
  lua_setglobal(L, "arg");
  if (luaL_dofile(L, argv[2])) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    return 1;
  }
  lua_close(L);
  return 0;
}
